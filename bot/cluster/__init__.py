"""Draws on other machines, through Ray.

    frames     the messages between the bot's process and the child process with Ray's driver
    machines   runs in the bot: adds an engine to the pool for each card of each machine
    driver     the child process: a Ray driver that looks for machines and starts workers on them
    worker     runs on another machine: a Ray actor that draws with one engine
    nodes      starts and supervises Ray on this machine, for `triptych cluster` and `worker`

Only ``driver`` and ``worker`` import ray, and they run in processes of their own. If the connection
to Ray's head is lost, Ray ends the process of its driver, so the bot's process must not be the
driver.
"""
