"""Texts for people. The lowest room: it imports none of the others."""
