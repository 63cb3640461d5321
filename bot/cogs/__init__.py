"""The face: one file per thing a person does. Loaded by name; cogs do not import each other."""
