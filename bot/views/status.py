"""Builds the answer to /status, for a server's moderators and for the owner of the bot."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.api import ModelInfo
from bot.texts import status as texts
from bot.texts.catalog import Text
from bot.texts.units import say_duration
from bot.views.escape import cut, quote

_WARNINGS_SHOWN = 5
_TEXT_MAX = 2000


def describe_here(
    counts: tuple[int, int], waits: tuple[float, float] | None, *, is_up: bool
) -> str:
    """Describe only the server of the moderator who asks."""
    engine = texts.ENGINE_UP if is_up else texts.ENGINE_LOADING
    waitlist = _describe_waitlist(texts.THIS_SERVER, counts, waits)
    return f"{waitlist}\n{engine()}\n-# {texts.REST_FOR_OWNER()}"


def describe_process(
    *,
    counts: tuple[int, int],
    waits: tuple[float, float] | None,
    info: ModelInfo | None,
    peak_memory_mib: float,
    invalid_requests: int,
    chore_faults: Sequence[str],
    warnings: Sequence[str],
) -> str:
    """Describe all servers together, for the owner of the bot.

    counts: prompts in the queue and being drawn. waits: seconds at p50 and p95 of the last hour.
    """
    lines = [
        _describe_waitlist(texts.ALL_SERVERS, counts, waits),
        _describe_engine(info),
        texts.MEMORY(peak=round(peak_memory_mib)),
        texts.REFUSED(count=invalid_requests),
        texts.CHORES() if chore_faults else texts.CHORES_WELL(),
        *(f"• {quote(fault, 200)}" for fault in chore_faults[:_WARNINGS_SHOWN]),
        texts.WARNINGS() if warnings else texts.NO_WARNINGS(),
        *(f"• {quote(line, 200)}" for line in warnings[-_WARNINGS_SHOWN:]),
    ]
    return cut("\n".join(lines), _TEXT_MAX)


def _describe_engine(info: ModelInfo | None) -> str:
    if info is None:
        return texts.ENGINE_LOADING()
    return texts.ENGINE(model=info.name, device=info.device, dtype=info.dtype)


def _describe_waitlist(
    where: Text, counts: tuple[int, int], waits: tuple[float, float] | None
) -> str:
    waited = texts.NO_WAITS()
    if waits is not None:
        waited = texts.WAITS(median=say_duration(waits[0]), slow=say_duration(waits[1]))
    return f"{where(waiting=counts[0], drawing=counts[1])} {waited}"
