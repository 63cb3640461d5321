"""Measures how fast the engines draw."""

from __future__ import annotations

from collections.abc import Iterable

from bot.engine import Pace


class Paces:
    """The pace of each engine, found by the engine's id."""

    def __init__(self) -> None:
        self._by_engine: dict[str, Pace] = {}

    def of(self, engine: str) -> Pace:
        """Return the pace of one engine. For a new engine, nothing is measured yet."""
        return self._by_engine.setdefault(engine, Pace())

    def sum_up(self, engines: Iterable[str]) -> float | None:
        """Return the sum of these engines' paces, because they draw in parallel. None at first.

        Two engines may have the same id. An engine that has not drawn yet counts with the average
        pace.
        """
        paces = [self.of(engine).cost_per_second for engine in engines]
        known = [pace for pace in paces if pace is not None]
        return sum(known) * len(paces) / len(known) if known else None
