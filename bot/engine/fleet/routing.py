"""Chooses the engine for a request."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.recipes import Recipe
from bot.engine.fleet.seats import Seat

_TOGETHER = 1.25
"""An engine that already draws this size may take this many times as long and is still chosen."""


def choose_seat(
    serving: Sequence[Seat], recipe: Recipe, cost: float, ahead_cost: float = 0.0
) -> Seat | None:
    """Choose the engine with room that will finish a request first.

    None if no engine has room, or if one that is still busy will finish it sooner. serving: the
    engines with the recipe's model. ahead_cost: what such a busy engine will draw before it.
    """
    usual = _average([seat.pace.cost_per_second for seat in serving])

    def estimate(seat: Seat, ahead: float = 0.0) -> float:
        pace = seat.pace.cost_per_second or usual
        return (seat.outstanding + ahead + cost) / pace + seat.count_swap_seconds(recipe)

    free = [seat for seat in serving if seat.engine.has_room(recipe)]
    if not free:
        return None
    first = min(free, key=estimate)
    together = [seat for seat in free if seat.steps_together_with(recipe)]
    near = min(together, key=estimate, default=first)
    if estimate(near) <= _TOGETHER * estimate(first):
        first = near
    busy = [estimate(seat, ahead_cost) for seat in serving if seat not in free]
    return None if min(busy, default=float("inf")) < estimate(first) else first


def _average(paces: Sequence[float | None]) -> float:
    known = [pace for pace in paces if pace is not None]
    return sum(known) / len(known) if known else 1.0
