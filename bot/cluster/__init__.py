"""Draws on other machines, through Ray.

    frames     what the bot's process and its child process with Ray's driver tell each other
    machines   the bot's side: adds an engine to the pool for each card of each machine
    driver     the child process: a Ray driver that looks for machines and starts workers on them
    worker     the worker on another machine: an engine behind a Ray actor
    nodes      starts and supervises Ray on this machine, for `triptych cluster` and `worker`

Only ``driver`` and ``worker`` import ray, and only in their own processes. If Ray's head is lost,
Ray ends the process of its driver; that must not be the bot's.
"""
