"""What a running Triptych does once an hour, and how it looks from outside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.errors import StoreError
from bot.store import BackupKeeper, JobRepository

log = logging.getLogger(__name__)

HOUR_SECONDS = 3600.0


async def keep_backups(keeper: BackupKeeper, now: Callable[[], float]) -> None:
    """One copy a day, for as long as this runs; a full disk stops nothing else."""
    while True:
        try:
            path = await keeper.keep(now())
            if path is not None:
                log.info("backup %s made", path)
        except StoreError as error:
            log.error("no backup today: %s", error)
        await asyncio.sleep(HOUR_SECONDS)


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
