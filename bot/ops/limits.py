"""Limits how often people may do something, so that nobody can make the others wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from bot.errors import UserError
from bot.ops.workers import Turns
from bot.texts.codes import Code
from bot.texts.reasons import because

K = TypeVar("K", bound=Hashable)

HOUR_SECONDS = 3600.0
_MAX_KEPT = 1000  # if there are more, full buckets are dropped


class Buckets(Generic[K]):
    """A token bucket for each key. It is full at first, and fills up again over time."""

    def __init__(self, size: int, refill_seconds: float, now: Callable[[], float]) -> None:
        """refill_seconds: how long it takes until one token comes back."""
        self._size = size
        self._refill_seconds = refill_seconds
        self._now = now
        # for each key: how many tokens were left when we last counted, and when that was
        self._kept: dict[K, tuple[float, float]] = {}

    def take(self, key: K) -> bool:
        """Take one token. Return False if there is none."""
        left = self._count(key)
        if left < 1:
            return False
        if len(self._kept) >= _MAX_KEPT:
            self._kept = {k: v for k, v in self._kept.items() if self._count(k) < self._size}
        self._kept[key] = left - 1, self._now()
        return True

    def find_opening(self, key: K) -> float | None:
        """Return the time when there will be a token; None if there is one now."""
        left = self._count(key)
        return None if left >= 1 else self._now() + (1 - left) * self._refill_seconds

    def _count(self, key: K) -> float:
        left, at = self._kept.get(key, (self._size, 0.0))
        passed = max(self._now() - at, 0.0)  # the clock may have been set back
        return min(left + passed / self._refill_seconds, self._size)


class HeavyWork:
    """Limits exports and deletions: few run at once, one at a time per person, and few an hour."""

    def __init__(self, now: Callable[[], float], *, per_hour: int = 4, at_once: int = 1) -> None:
        self._buckets = Buckets[tuple[int, str]](per_hour, HOUR_SECONDS / per_hour, now)
        self._turns = Turns(at_once)
        self._asking: set[int] = set()

    @asynccontextmanager
    async def turn(self, who: int, what: str) -> AsyncIterator[None]:
        """Wait for a turn. Raises UserError if this person has one already or has had too many."""
        if who in self._asking:
            raise UserError(because(Code.HEAVY_WORK_GOES_ON))
        if not self._buckets.take((who, what)):
            opens = self._buckets.find_opening((who, what))
            raise UserError(because(Code.HEAVY_WORK_SPENT, opens=opens))
        self._asking.add(who)
        try:
            async with self._turns.hold(who):
                yield
        finally:
            self._asking.discard(who)
