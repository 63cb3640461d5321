"""Runs on another machine: a Ray actor that draws with one engine."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from bot.cluster.state import STATE_FOLDER, WorkerState
from bot.engine import EngineApi, EngineHost

MakeEngine = Callable[[int], EngineApi]
"""Makes the engine for the card with this number on the worker's machine."""

_DRAIN_SECONDS = 1.0  # how often a worker checks whether it was asked to drain


class Worker:
    """Draws with one engine. Ray turns it into an actor with one asyncio loop (see ``driver``).

    ``send`` passes bytes to the engine; ``receive`` yields the engine's answers until it ends.
    """

    def __init__(self, make_engine: MakeEngine, number: int) -> None:
        self._channel = _ActorChannel()
        self._host = EngineHost(partial(make_engine, number), self._channel)
        self._number = number
        self._early: dict[int, bytes] = {}
        self._num_passed = 0
        path = os.environ.get(STATE_FOLDER)
        self._state = WorkerState(Path(path)) if path else None
        if self._state is not None:
            self._state.note_busy(number)

    async def send(self, number: int, data: bytes) -> None:
        """Pass bytes from the bot to the engine, in the order of their numbers.

        Ray sends large arguments in another way than small ones, so a later call may arrive first.
        """
        self._early[number] = data
        while (due := self._early.pop(self._num_passed, None)) is not None:
            self._num_passed += 1
            self._channel.on_data(due)

    async def receive(self) -> AsyncIterator[list[bytes]]:
        """Start the engine, and yield the bytes that it sends to the bot. Called once."""
        loop = asyncio.get_running_loop()
        outbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._channel.post = lambda data: loop.call_soon_threadsafe(outbox.put_nowait, data)
        threading.Thread(target=self._run, args=(loop, outbox), daemon=True).start()
        watching = asyncio.create_task(self._watch_drain_file(outbox))
        try:
            has_ended = False
            while not has_ended:
                batch = [await outbox.get()]
                while not outbox.empty():
                    batch.append(outbox.get_nowait())
                has_ended = None in batch
                yield [data for data in batch if data is not None]
        finally:
            watching.cancel()

    def _run(self, loop: asyncio.AbstractEventLoop, outbox: asyncio.Queue[bytes | None]) -> None:
        self._host.run()
        loop.call_soon_threadsafe(outbox.put_nowait, None)

    async def _watch_drain_file(self, outbox: asyncio.Queue[bytes | None]) -> None:
        """Wait until the worker is asked to drain. Then take no more prompts, and end when all are
        drawn.
        """
        if self._state is None:
            return
        drains = False
        while not self._host.is_drained:
            await asyncio.sleep(_DRAIN_SECONDS)
            if not drains and await asyncio.to_thread(self._state.is_draining):
                drains = True
                self._host.drain()
        self._state.note_idle(self._number)
        outbox.put_nowait(None)


class _ActorChannel:
    """The engine's side of the connection. on_data: called with the bytes that arrive."""

    def __init__(self) -> None:
        self.post: Callable[[bytes], object] = lambda data: None
        self.on_data: Callable[[bytes], None] = self._keep
        self._kept: list[bytes] = []
        self._lock = threading.Lock()

    def open(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        """Start. If the bot is gone, Ray ends this process, so ``on_end`` is not used."""
        with self._lock:
            self.on_data = on_data
            for data in self._kept:
                on_data(data)

    def send(self, data: bytes) -> None:
        """Send without waiting."""
        self.post(data)

    def wait(self, seconds: float) -> bool:
        """Return True, because there is nothing to wait for on this side."""
        return True

    def close(self) -> None:
        """Do nothing: the bot ends the actor."""

    def _keep(self, data: bytes) -> None:
        with self._lock:
            self._kept.append(data)
