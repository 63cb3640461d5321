"""The command line: one file per command that does more than a line."""
