"""Discord's JSON: how things are written and what is checked on arrival."""
