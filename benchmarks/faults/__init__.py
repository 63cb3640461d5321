"""The promise under fire: kills, lost calls, lost connections, and what is left of the jobs."""
