"""Triptych: a self-hosted Discord bot that draws three pictures per prompt."""

__version__ = "0.1.0"
