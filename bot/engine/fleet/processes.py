"""Starts a child process with an engine for one device."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from weakref import WeakSet

from bot.engine.api import EngineApi
from bot.engine.fleet.channels import PipeChannel
from bot.engine.fleet.hosting import EngineHost

_FLUSH_SECONDS = 5.0  # how long a child may take to send its last messages

Target = Callable[[PipeChannel], None]

_children: WeakSet[BaseProcess] = WeakSet()


def start_engine(make_engine: Callable[[], EngineApi], environ: Mapping[str, str]) -> PipeChannel:
    """Start a child process that draws. make_engine: called in the child; must be picklable."""
    return start_child(EngineTarget(make_engine), environ)


class EngineTarget:
    """The work of a child process: to draw with one engine."""

    def __init__(self, make_engine: Callable[[], EngineApi]) -> None:
        self._make_engine = make_engine

    def __call__(self, channel: PipeChannel) -> None:
        """Draw until the bot has ended."""
        EngineHost(self._make_engine, channel).run()


def start_child(target: Target, environ: Mapping[str, str]) -> PipeChannel:
    """Start a process that runs ``target``. It is not forked: that is unsafe beside threads.

    environ: the child adds these variables to its environment before it runs ``target``.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(dict(environ), theirs, target), daemon=True)
    process.start()
    _children.add(process)
    theirs.close()
    return PipeChannel(ours, process)


@atexit.register
def _end_children() -> None:
    """Kill the children that are left, because ``multiprocessing`` would wait for them for ever."""
    for process in list(_children):
        process.kill()


def _run(environ: Mapping[str, str], pipe: Connection, target: Target) -> None:
    os.environ.update(environ)
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C and systemd signal all processes
        signal.signal(number, signal.SIG_IGN)  # the bot ends its children once they have finished
    logging.getLogger("bot").setLevel(logging.INFO)
    channel = PipeChannel(pipe)
    target(channel)
    channel.flush(_FLUSH_SECONDS)
    os._exit(0)  # ends without waiting for torch's threads
