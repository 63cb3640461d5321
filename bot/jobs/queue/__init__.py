"""Who waits, whose turn it is, and why."""
