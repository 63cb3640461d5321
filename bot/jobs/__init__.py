"""The queue: from an accepted prompt to a delivered grid. Knows nothing of Discord."""
