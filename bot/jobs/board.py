"""Moves each job's message at most once per interval, always to the newest state."""

from __future__ import annotations

import asyncio
import logging

from bot.jobs.port import Messenger, Undeliverable, Update
from bot.records import Job

log = logging.getLogger(__name__)

EDIT_INTERVAL_SECONDS = 3.0
MAX_EDITS_AT_ONCE = 2  # first answers and finished pictures must not queue behind news of places


class StatusBoard:
    """One pump per job; a state that is overtaken before its turn is never sent."""

    def __init__(
        self, messenger: Messenger, interval_seconds: float = EDIT_INTERVAL_SECONDS
    ) -> None:
        self._messenger = messenger
        self._interval_seconds = interval_seconds
        self._turns = asyncio.Semaphore(MAX_EDITS_AT_ONCE)
        self._pumps: dict[int, _Pump] = {}

    def post(self, job: Job, update: Update) -> None:
        """Show ``update`` as soon as the job's message may be edited again."""
        pump = self._pumps.get(job.job_id)
        if pump is None:
            pump = self._pumps[job.job_id] = _Pump(
                self._messenger, self._turns, self._interval_seconds
            )
        pump.post(job, update)

    async def finish(self, job: Job, update: Update | None = None) -> None:
        """No more edits but this last one; returns when none is under way."""
        pump = self._pumps.pop(job.job_id, None)
        if pump is not None:
            await pump.close()
        if update is not None:
            await _show(self._messenger, job, update)

    async def close(self) -> None:
        """Stop all pumps; messages stay as they are."""
        pumps, self._pumps = self._pumps, {}
        await asyncio.gather(*(pump.close() for pump in pumps.values()))


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
        self._task = asyncio.create_task(self._run())

    def post(self, job: Job, update: Update) -> None:
        if update != (self._latest[1] if self._latest else self._shown):
            self._latest = (job, update)
            self._posted.set()

    async def close(self) -> None:
        async with self._editing:  # an edit under way must not land after the last one
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

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


async def _show(messenger: Messenger, job: Job, update: Update) -> None:
    try:
        await messenger.progress(job, update)
    except Undeliverable as error:
        log.info("job %s: its message cannot be edited: %s", job.job_id, error)
