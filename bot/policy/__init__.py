"""Decides what may be drawn, by whom, and how much of it."""
