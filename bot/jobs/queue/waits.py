"""How long members waited lately."""

from __future__ import annotations

from collections.abc import Callable

from bot.store import JobRepository

_HOUR_SECONDS = 3600.0


class WaitMeter:
    """How long members waited for the drawing to begin, in the last hour."""

    def __init__(self, jobs: JobRepository, now: Callable[[], float]) -> None:
        self._jobs = jobs
        self._now = now

    async def measure(self, guild_id: int | None = None) -> tuple[float, float] | None:
        """Seconds at p50 and p95, of one server or of all; None if nothing was drawn."""
        waits = sorted(await self._jobs.list_waits_since(self._now() - _HOUR_SECONDS, guild_id))
        if not waits:
            return None
        return waits[len(waits) // 2], waits[min(len(waits) * 95 // 100, len(waits) - 1)]
