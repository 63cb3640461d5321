"""Starts a child process with an engine for one device."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

from bot.engine.api import EngineApi
from bot.engine.fleet.channels import PipeChannel
from bot.engine.fleet.hosting import EngineHost

Target = Callable[[PipeChannel], None]


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
    theirs.close()
    return PipeChannel(ours, process)


def _run(environ: Mapping[str, str], pipe: Connection, target: Target) -> None:
    os.environ.update(environ)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the bot, which ends its children
    logging.getLogger("bot").setLevel(logging.INFO)
    target(PipeChannel(pipe))
    os._exit(0)  # without waiting for threads of torch
