"""Samplers, and tables of numbers that describe their steps."""
