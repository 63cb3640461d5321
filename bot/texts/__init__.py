"""Texts for people. This package imports no other package of the bot."""
