"""Checks that no job is lost or posted twice after kills, failed calls and lost connections."""
