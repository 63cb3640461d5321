"""What the engines of a pool offer together: their models, and why one cannot draw now."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.recipes import Recipe
from bot.engine.api import EngineState, ModelStatus
from bot.engine.fleet.seats import Seat
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

_UNSETTLED = {EngineState.LOADING, EngineState.LOST}
"""An engine in one of these states may soon offer a model."""


def list_models(seats: Sequence[Seat]) -> tuple[ModelStatus, ...]:
    """List every model once, the default one first. If one engine can draw it, it has no note."""
    found: dict[str, ModelStatus] = {}
    for status in [status for seat in seats for status in seat.statuses]:
        known = found.setdefault(status.id, status)
        if known.note and not status.note:
            found[status.id] = status
    return tuple(sorted(found.values(), key=lambda each: not (each.info and each.info.is_default)))


def find_refusal(seats: Sequence[Seat], recipe: Recipe, *, may_grow: bool) -> Reason | None:
    """Return why a request must not wait for its model; None if it may wait, or can be drawn.

    may_grow: other machines with other models may still join.
    """
    if any(seat.serves(recipe) or seat.state in _UNSETTLED for seat in seats):
        return None
    models = {each.id: each for each in list_models(seats)}
    asked = models.get(recipe.model or "")
    others = [each.id for each in models.values() if not each.note]
    if asked is not None and asked.is_out:
        code = Code.MODEL_OUT if others else Code.MODEL_OUT_ALONE
        named = {"others": others} if others else {}
        return because(code, model=asked.info.name if asked.info else asked.id, **named)
    if asked is None and others and not may_grow:
        return because(Code.MODEL_NOT_LOADED, loaded=others, asked=recipe.model)
    return None


def list_faults(seats: Sequence[Seat]) -> list[str]:
    """Describe the models that failed, for the owner."""
    return [
        f"The model {each.id} is out, and is tried again now and then: {each.note}"
        for each in list_models(seats)
        if each.is_out
    ]
