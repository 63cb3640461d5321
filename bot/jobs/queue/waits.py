"""Measures how long members had to wait."""

from __future__ import annotations

from collections.abc import Callable

from bot.store import JobRepository

_HOUR_SECONDS = 3600.0


class WaitMeter:
    """Measures how long members waited in the last hour until their prompt was started."""

    def __init__(self, jobs: JobRepository, now: Callable[[], float]) -> None:
        self._jobs = jobs
        self._now = now

    async def measure(self, guild_id: int | None = None) -> tuple[float, float] | None:
        """Return median and 95th percentile in seconds, of one server or all; None without data."""
        waits = sorted(await self._jobs.list_waits_since(self._now() - _HOUR_SECONDS, guild_id))
        if not waits:
            return None
        return waits[len(waits) // 2], waits[min(len(waits) * 95 // 100, len(waits) - 1)]
