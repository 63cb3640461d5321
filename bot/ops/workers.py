"""Runs work that may take too much time or memory in processes that can be killed."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from anyio import BrokenWorkerProcess, to_process

from bot.errors import WorkerLost, WorkerTimeout, WorkerUnavailable
from bot.texts.catalog import get_locale, speaking

if TYPE_CHECKING:
    from anyio import CapacityLimiter

T = TypeVar("T")

log = logging.getLogger(__name__)

_START_SECONDS = 20.0
# if the bot has died, work ends by itself this many seconds after its deadline
_ORPHAN_SECONDS = 1.0
_WATCH_SECONDS = 0.05
_KERNEL_COUNTS = sys.platform == "linux"  # other systems lack RLIMIT_AS or ignore it
# This limiter limits nothing, because ``Turns`` decides who may run.
# So anyio never waits between two calls, and uses the process that we have just prepared.
_AT_ONCE = cast("CapacityLimiter", nullcontext())


class WorkerProcesses:
    """A few processes for work that the event loop must not wait for and may have to stop.

    A process starts when it is first needed, and is then used again. A killed one is replaced.
    """

    def __init__(
        self,
        max_processes: int = 2,
        *,
        memory_bytes: int = 512 * 2**20,
        max_wait_seconds: float = 20.0,
        kernel_counts_memory: bool = _KERNEL_COUNTS,
    ) -> None:
        """memory_bytes: how much the work may use besides what the process itself needs."""
        self._max_processes = max_processes
        self._memory_bytes = memory_bytes
        self._max_wait_seconds = max_wait_seconds
        self._kernel_counts = kernel_counts_memory
        self._turns = Turns(max_processes)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def run(
        self, work: Callable[..., T], *args: Any, share: int | None, deadline_seconds: float
    ) -> T:
        """Call a function in a worker process. Returns its result or raises its error.

        The function's module must be quick to import. Texts that the function makes are in the
        caller's language.

        share: the server, or in direct messages the member, for whom the work is done. Each share
        has at most one process at a time, and the shares take turns. The deadline starts when the
        process is ready.

        Raises WorkerTimeout, WorkerLost, WorkerUnavailable.
        """
        async with self._turn(share):
            pid = await self._warm(work)
            limit = self._memory_bytes if self._kernel_counts else None
            watch = None if self._kernel_counts else asyncio.create_task(self._watch(pid))
            seconds = deadline_seconds + _ORPHAN_SECONDS
            try:
                async with asyncio.timeout(deadline_seconds):
                    return await to_process.run_sync(
                        _attempt,
                        seconds,
                        limit,
                        get_locale(),
                        work,
                        args,
                        cancellable=True,
                        limiter=_AT_ONCE,
                    )
            except TimeoutError:
                raise WorkerTimeout(f"not done in {deadline_seconds:g} s") from None
            except BrokenWorkerProcess as error:
                raise WorkerLost("the worker process died") from error
            finally:
                if watch is not None:
                    watch.cancel()

    async def close(self) -> None:
        """Take no more work. Kill the processes that are working, and cancel the tasks that wait
        for them.

        Idle processes end with the event loop.
        """
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await self._idle.wait()

    @asynccontextmanager
    async def _turn(self, share: int | None) -> AsyncIterator[None]:
        if self._closed:
            raise WorkerUnavailable("the bot is stopping")
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._idle.clear()
        try:
            await self._take_turn(share)
            try:
                yield
            finally:
                self._turns.give_back(share)
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self._idle.set()

    async def _take_turn(self, share: int | None) -> None:
        try:
            async with asyncio.timeout(self._max_wait_seconds):
                await self._turns.take(share)
        except TimeoutError:
            raise WorkerUnavailable("the work of others took too long") from None

    async def _warm(self, work: Callable[..., Any]) -> int:
        """Make sure that a process has imported what the work needs. Return the process's id."""
        fault = None
        # try several times, because all idle processes may have died
        for _ in range(self._max_processes + 1):
            try:
                async with asyncio.timeout(_START_SECONDS):
                    return await to_process.run_sync(
                        _prepare, work, self._memory_bytes, cancellable=True, limiter=_AT_ONCE
                    )
            except (BrokenWorkerProcess, OSError) as error:  # TimeoutError is an OSError
                fault = error
                log.info("a worker process is replaced: %s", error)
        raise WorkerUnavailable("no worker process could be started") from fault

    async def _watch(self, pid: int) -> None:
        """Kill a process that takes too much memory, on systems whose kernel cannot limit it."""
        import psutil  # noqa: PLC0415 - not installed where the kernel counts

        with suppress(psutil.Error):
            process = psutil.Process(pid)
            most = process.memory_info().rss + self._memory_bytes
            while process.memory_info().rss <= most:  # noqa: ASYNC110 - psutil has no event for it
                await asyncio.sleep(_WATCH_SECONDS)
            process.kill()


class Turns:
    """Limits how many calls run at once, with one call per share. The shares take turns."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: set[int | None] = set()
        self._waiting: dict[int | None, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def hold(self, share: int | None) -> AsyncIterator[None]:
        """Wait for a turn, and give it back at the end."""
        await self.take(share)
        try:
            yield
        finally:
            self.give_back(share)

    async def take(self, share: int | None) -> None:
        """Wait for a turn. The caller must give it back."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(share, deque()).append(turn)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(share, turn)
            else:
                self.give_back(share)
            raise

    def give_back(self, share: int | None) -> None:
        """End a turn, and give it to the next call that waits."""
        self._busy.discard(share)
        if share in self._waiting:
            self._waiting[share] = self._waiting.pop(share)  # this share is now behind all others
        self._grant()

    def _grant(self) -> None:
        while len(self._busy) < self._most:
            share = next((share for share in self._waiting if share not in self._busy), ...)
            if share is ...:
                return
            turn = self._waiting[share].popleft()
            if not self._waiting[share]:
                del self._waiting[share]
            if not turn.done():
                self._busy.add(share)
                turn.set_result(None)

    def _forget(self, share: int | None, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(share, deque())
        with suppress(ValueError):
            turns.remove(turn)
        if not turns:
            self._waiting.pop(share, None)


# The functions below run in the worker process.


def _prepare(work: Callable[..., Any], memory_bytes: int) -> int:
    """Prepare a worker. Reading ``work`` imports its module. No members' data is sent yet."""
    # only the bot reacts to these signals: it then stops its workers
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if _KERNEL_COUNTS and _count_mapped() > _count_at_first(work.__module__) + memory_bytes // 4:
        os._exit(0)  # earlier work still takes too much memory, so start a fresh process
    return os.getpid()


def _attempt(
    seconds: float,
    memory_bytes: int | None,
    locale: str,
    work: Callable[..., T],
    args: tuple[Any, ...],
) -> T:
    """Run the work. An alarm ends this process in time, even if the bot was killed."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        if memory_bytes is not None:
            most = _count_at_first(work.__module__) + memory_bytes
            resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
        with speaking(locale):
            return work(*args)
    except MemoryError:
        os._exit(1)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.setitimer(signal.ITIMER_REAL, 0)


@cache
def _count_at_first(module: str) -> int:
    """Return how many bytes of memory this process used just after it had imported the module."""
    return _count_mapped()


def _count_mapped() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()
