"""Enlarges pictures with a small network, in tiles, between the steps of other requests."""
