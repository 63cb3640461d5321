"""Runs the bot with the faults that environment variables ask for.

CLOCK: a file with one float64: the seconds that are added to this process's wall clock.
STORE_FAULT: call STORE_FAULT_AT of the database connection fails: ``full``, ``busy`` or ``ioerr``.
STORE_CALLS: a file that gets the number of those calls.
TICKER: a file that gets the event loop's lags.
REAL_ENGINE: draw with the starter model instead of the fake engine.
ENGINE_FAULT: after the first request, call FAULT_AT of its UNet fails: ``oom``, ``nan``,
``assert`` or ``hang``.
HUNG_SECONDS: the limit of the engine's watchdog.
GATEWAY_SILENCE_SECONDS: the limit of the gateway's watchdog. The longest pause before a
reconnection becomes shorter in proportion.
SEND_SECONDS: how long the bot waits for an answer from Discord.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import json
import mmap
import os
import sqlite3
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosqlite

from bot.chat import client, connection, messenger, retries
from bot.cli import main as cli
from bot.engine.fleet import watchdog
from tests.fakes import parts

for cog in client.COGS:
    importlib.import_module(cog)  # imported once for all processes that are forked from this one

_STORE_FAULTS = {
    "full": (sqlite3.SQLITE_FULL, "database or disk is full"),
    "busy": (sqlite3.SQLITE_BUSY, "database is locked"),
    "ioerr": (sqlite3.SQLITE_IOERR, "disk I/O error"),
}
_TICK_SECONDS = 0.001


def run() -> None:
    """Prepare the faults that the environment asks for, and run the bot."""
    if "REAL_ENGINE" in os.environ:
        _break_engine(os.environ.get("ENGINE_FAULT", ""), int(os.environ.get("FAULT_AT", "0")))
    else:
        parts.install()
    if seconds := os.environ.get("GATEWAY_SILENCE_SECONDS"):
        connection.MAX_RECONNECT_SECONDS *= float(seconds) / connection.GATEWAY_SILENCE_SECONDS
        connection.GATEWAY_SILENCE_SECONDS = float(seconds)
    if seconds := os.environ.get("HUNG_SECONDS"):
        watchdog.HUNG_SECONDS = watchdog.FIRST_STEP_SECONDS = float(seconds)
        watchdog.HUNG_STEPS = 0.0
    if path := os.environ.get("CLOCK"):
        _bend_clock(path)
    if "STORE_FAULT" in os.environ or "STORE_CALLS" in os.environ:
        _break_store(os.environ.get("STORE_FAULT"), int(os.environ.get("STORE_FAULT_AT", "0")))
    if seconds := os.environ.get("SEND_SECONDS"):
        messenger.SEND_SECONDS = retries.SEND_SECONDS = float(seconds)
    if path := os.environ.get("TICKER"):
        _measure_lag(Path(path))
    cli.main()


def _break_engine(kind: str, at: int) -> None:
    """Use the real engine with the starter model, and make its UNet fail at call ``at``."""
    import torch  # noqa: PLC0415 - most figures do not need it

    from bot.engine import Engine, runner  # noqa: PLC0415

    load_model, submit = runner.load_model, Engine.submit
    calls = 0
    is_armed = False

    def arm(self: Any, *arguments: Any) -> Any:
        nonlocal is_armed
        is_armed = True  # set it only now, because the calls at the engine's start do not count
        return submit(self, *arguments)

    def fail(module: Any, arguments: Any, result: Any) -> Any:
        nonlocal calls
        calls += is_armed
        if not is_armed or calls != at:
            return None
        match kind:
            case "oom":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
            case "assert":
                raise torch.AcceleratorError("CUDA error: device-side assert triggered")
            case "hang":
                time.sleep(3600)
            case "nan":
                result[0].fill_(torch.nan)
        return None

    def load(source: Any, *rest: Any) -> Any:
        model = load_model(source, *rest)
        if kind:
            model.pipe.unet.register_forward_hook(fail)
        return model

    runner.load_model = load
    setattr(Engine, "submit", arm)  # noqa: B010


def _bend_clock(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    shared = mmap.mmap(file, 8, prot=mmap.PROT_READ)
    true_time = time.time
    time.time = lambda: true_time() + struct.unpack("d", shared[:8])[0]


def _break_store(kind: str | None, at: int) -> None:
    calls = 0

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: aiosqlite.Connection, *arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if path := os.environ.get("STORE_CALLS"):
                Path(path).write_text(str(calls))
            if kind is None or calls != at:
                return method(self, *arguments)
            return _fail(self, kind)

        return call

    for name in ("execute", "executemany", "execute_fetchall", "executescript", "commit"):
        setattr(aiosqlite.Connection, name, wrap(getattr(aiosqlite.Connection, name)))


class _Failure:
    """A failing result that can be awaited or used in "async with", like those of aiosqlite."""

    def __init__(self, connection: aiosqlite.Connection, kind: str) -> None:
        self._connection = connection
        self._kind = kind

    def __await__(self) -> Any:
        return self._raise().__await__()

    async def __aenter__(self) -> Any:
        await self._raise()

    async def __aexit__(self, *fault: object) -> None:
        pass

    async def _raise(self) -> None:
        if self._kind == "full" and self._connection.in_transaction:
            await self._connection.rollback()  # SQLite does the same when the disk is full
        code, text = _STORE_FAULTS[self._kind]
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        raise error


def _fail(connection: aiosqlite.Connection, kind: str) -> _Failure:
    return _Failure(connection, kind)


def _measure_lag(path: Path) -> None:
    serve = cli.serve
    lags: list[float] = []
    atexit.register(lambda: path.write_text(json.dumps(lags)))

    async def served(*arguments: Any) -> None:
        ticker = asyncio.create_task(_tick(lags))
        try:
            await serve(*arguments)
        finally:
            ticker.cancel()

    cli.serve = served


async def _tick(lags: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _TICK_SECONDS
        await asyncio.sleep(_TICK_SECONDS)
        lags.append(loop.time() - due)
