"""Checks that kills, failed calls and lost connections never lose a job or post it twice."""
