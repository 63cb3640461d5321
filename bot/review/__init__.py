"""What moderators see, and their decisions."""
