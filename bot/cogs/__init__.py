"""The commands and buttons: one file per thing a person does. Cogs do not import each other."""
