"""Moves each job's message at most once per interval, always to the newest state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.errors import StoreError
from bot.jobs.port import Messenger, NotPosted, Unreachable, Update
from bot.records import Job

log = logging.getLogger(__name__)

EDIT_INTERVAL_SECONDS = 3.0
AGAIN_SECONDS = 30.0  # after Discord did not answer at all
MAX_EDITS_AT_ONCE = 2  # first answers and finished pictures must not queue behind news of places


class StatusBoard:
    """One pump per job; a state that is overtaken before its turn is never sent."""

    def __init__(
        self,
        messenger: Messenger,
        interval_seconds: float = EDIT_INTERVAL_SECONDS,
        again_seconds: float = AGAIN_SECONDS,
        mark_told: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._messenger = messenger
        self._mark_told = mark_told
        self._interval_seconds = interval_seconds
        self._turns = asyncio.Semaphore(MAX_EDITS_AT_ONCE)
        self._again_seconds = again_seconds
        self._pumps: dict[int, _Pump] = {}
        self._insisting: set[asyncio.Task[None]] = set()

    def post(self, job: Job, update: Update) -> None:
        """Show ``update`` as soon as the job's message may be edited again."""
        pump = self._pumps.get(job.job_id)
        if pump is None:
            pump = self._pumps[job.job_id] = _Pump(
                self._messenger, self._turns, self._interval_seconds
            )
        pump.post(job, update)

    async def finish(self, job: Job, last: Update | None = None) -> None:
        """No more edits but this last one, which is tried until it is shown or in vain.

        Returns when no edit is under way any more and the last one has been tried once.
        """
        pump = self._pumps.pop(job.job_id, None)
        if pump is not None:
            await pump.close()
        if last is not None and not await self._show_last(job, last):
            task = asyncio.create_task(self._insist(job, last))
            self._insisting.add(task)
            task.add_done_callback(self._insisting.discard)

    async def close(self) -> None:
        """Stop at once, without waiting for edits under way; messages stay as they are."""
        tasks = [*self._insisting, *(pump.task for pump in self._pumps.values())]
        self._pumps.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _insist(self, job: Job, last: Update) -> None:
        while True:
            await asyncio.sleep(self._again_seconds)
            if await self._show_last(job, last):
                return

    async def _show_last(self, job: Job, last: Update) -> bool:
        if not await _show(self._messenger, job, last):
            return False
        if self._mark_told is not None:
            try:
                await self._mark_told(job.job_id)
            except StoreError as error:  # it is told once more at the next start
                log.warning("job %s is told, but that is not on record: %s", job.job_id, error)
        return True


class _Pump:
    def __init__(
        self, messenger: Messenger, turns: asyncio.Semaphore, interval_seconds: float
    ) -> None:
        self._messenger = messenger
        self._turns = turns
        self._interval_seconds = interval_seconds
        self._editing = asyncio.Lock()
        self._posted = asyncio.Event()
        self._latest: tuple[Job, Update] | None = None
        self._shown: Update | None = None
        self.task = asyncio.create_task(self._run())
        self.task.add_done_callback(_log_fault)

    def post(self, job: Job, update: Update) -> None:
        if update != (self._latest[1] if self._latest else self._shown):
            self._latest = (job, update)
            self._posted.set()

    async def close(self) -> None:
        async with self._editing:  # an edit under way must not land after the last one
            self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._posted.wait()
            self._posted.clear()
            async with self._turns, self._editing:
                if self._latest is None:
                    continue
                (job, update), self._latest = self._latest, None
                await _show(self._messenger, job, update)
                self._shown = update
            await asyncio.sleep(self._interval_seconds)


async def _show(messenger: Messenger, job: Job, update: Update) -> bool:
    """Whether nothing is left to be done: it is shown, or never can be."""
    try:
        await messenger.progress(job, update)
    except NotPosted as error:
        log.info("job %s: its message was not edited: %s", job.job_id, error)
        return not isinstance(error, Unreachable)
    return True


def _log_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a message does not move any more", exc_info=error)
