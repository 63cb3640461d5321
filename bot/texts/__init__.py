"""Texts for people. This package imports none of the others."""
