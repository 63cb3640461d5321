"""Turns what a person asks for into values that the model can use."""
