"""The queue: who is waiting, who is next, and why."""
