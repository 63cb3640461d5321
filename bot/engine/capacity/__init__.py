"""Computes how much fits on the device at once, and what a request costs."""
