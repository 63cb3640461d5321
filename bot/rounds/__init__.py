"""Group rounds: many people write one prompt, and choose the best of its pictures."""
