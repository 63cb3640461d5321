"""Discord's JSON: how it is written, and how incoming JSON is checked."""
