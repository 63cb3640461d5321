"""Samplers, and their steps as tables of numbers."""
