"""Samplers, and each one's steps as a table of numbers."""
