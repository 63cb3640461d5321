"""Serves the browser page, and carries out what people do on it."""
