"""Writes Discord's JSON, and checks incoming JSON."""
