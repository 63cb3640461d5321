"""Engines outside this thread: in child processes, and through them on other machines.

messages       what the two sides tell each other
channels       carries messages: here a pipe to a child process
hosting        the side that draws: an engine behind a channel
remote_engine  the side that asks: an engine as the rest of the program sees it
processes      starts a child process with an engine for one device
"""
