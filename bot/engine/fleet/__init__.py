"""Engines in child processes and on other machines.

messages       the messages between the bot and such an engine
channels       carry the messages; here a pipe to a child process
hosting        runs in the other process: draws with an engine as the messages say
remote_engine  runs in the bot: used like an engine, sends requests to the other process
processes      starts a child process with an engine for one device
"""
