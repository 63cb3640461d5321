"""Chooses the pictures that take part in a step, and runs the step."""
