"""What a running Triptych does from time to time, and how it looks from outside."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from bot.errors import StoreError
from bot.store import Backups, Database, JobRepository

log = logging.getLogger(__name__)

HOUR_SECONDS = 3600.0


def make_clock() -> Callable[[], float]:
    """Seconds since 1970 that run evenly from now on, even if the machine's clock is set."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # boot time also counts sleep
    offset_seconds = time.time() - time.clock_gettime(clock)
    return lambda: offset_seconds + time.clock_gettime(clock)


async def keep_backup(backups: Backups, now: Callable[[], float]) -> None:
    """Today's copy, unless there is one. Raises StoreError, such as where the disk is full."""
    path = await backups.keep(now())
    if path is not None:
        log.info("backup %s made", path)


class RecordWatch:
    """Notices that the record's file was removed or replaced, and saves what is still open."""

    def __init__(self, database: Database, backups: Backups, now: Callable[[], float]) -> None:
        self._database = database
        self._backups = backups
        self._now = now
        self._was_in_place = True

    async def look(self) -> None:
        """Look once; a loss is logged and saved once."""
        was_in_place, self._was_in_place = self._was_in_place, self._database.is_in_place()
        if was_in_place and not self._was_in_place:
            log.error(
                "the file of the record was removed or replaced while Triptych runs; it takes "
                "no new prompts. Stop it, then put the file back or run `python -m bot restore`"
            )
            await self.save()

    async def save(self) -> None:
        """Copy a record that nobody will find to the backups; does nothing to one in place."""
        if self._database.is_in_place():
            return
        try:
            log.error(
                "what the record holds is saved in %s", await self._backups.rescue(self._now())
            )
        except StoreError as error:
            log.error("what the record holds could not be saved: %s", error)


class WaitMeter:
    """How long members waited for the drawing to begin, in the last hour."""

    def __init__(self, jobs: JobRepository, now: Callable[[], float]) -> None:
        self._jobs = jobs
        self._now = now

    async def measure(self, guild_id: int | None = None) -> tuple[float, float] | None:
        """Seconds at p50 and p95, of one server or of all; None if nothing was drawn."""
        waits = sorted(await self._jobs.list_waits_since(self._now() - HOUR_SECONDS, guild_id))
        if not waits:
            return None
        return waits[len(waits) // 2], waits[min(len(waits) * 95 // 100, len(waits) - 1)]
