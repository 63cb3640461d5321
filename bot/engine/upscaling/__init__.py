"""Enlarges pictures with a small network, in tiles, between the steps of everybody's drawings."""
