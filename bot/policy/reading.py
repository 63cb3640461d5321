"""Threads that judge people's texts. Each server may use one thread at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from bot.errors import WorkerUnavailable
from bot.ops.locks import KeyedLocks
from bot.ops.workers import Turns

T = TypeVar("T")

_MAX_THREADS = 4


class ReadingRoom:
    """Judges texts outside the event loop. No server can take up all threads."""

    def __init__(self, max_threads: int = _MAX_THREADS) -> None:
        self._threads = ThreadPoolExecutor(max_threads, thread_name_prefix="reading")
        self._turns = Turns(max_threads)
        self._waiting: set[asyncio.Task[None]] = set()
        self._closed = False
        self.trials = KeyedLocks[int]()
        """One lock per server, so that moderators' trials of rules run one at a time."""

    async def run(self, whose: int, work: Callable[..., T], *args: Any) -> T:
        """Call ``work`` in a thread. Return its result, or raise its error.

        whose: the server that the text belongs to, or the member in direct messages. Each server
        or member has one thread at a time, and they take turns.

        Raises WorkerUnavailable after ``close``.
        """
        await self._take_turn(whose)
        loop = asyncio.get_running_loop()

        def give_back(_: Future[T]) -> None:
            with suppress(RuntimeError):  # the event loop is closed, so nobody waits for the result
                loop.call_soon_threadsafe(self._turns.give_back, whose)

        doing = self._threads.submit(work, *args)
        # The turn does not end if the call is cancelled, because the thread goes on.
        doing.add_done_callback(give_back)
        return await asyncio.wrap_future(doing)

    def close(self) -> None:
        """Cancel all waiting calls. Do not wait for running calls, which take about 0.1 s each."""
        self._closed = True
        for waiting in self._waiting:
            waiting.cancel()
        self._threads.shutdown(wait=False)

    async def _take_turn(self, whose: int) -> None:
        self._require_open()
        turn = asyncio.create_task(self._turns.take(whose))
        self._waiting.add(turn)
        turn.add_done_callback(self._waiting.discard)
        try:
            await asyncio.wait({turn})
        except asyncio.CancelledError:
            if not turn.cancel():
                self._turns.give_back(whose)
            raise
        self._require_open()

    def _require_open(self) -> None:
        if self._closed:
            raise WorkerUnavailable("the bot is stopping")
