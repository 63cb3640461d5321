"""Builds the answer to /status, for a server's moderators and for the owner of the bot."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.api import EngineState, EngineStatus
from bot.texts import status as texts
from bot.texts.catalog import Text
from bot.texts.units import say_duration
from bot.views.escape import cut, quote

_WARNINGS_SHOWN = 5
_ENGINES_SHOWN = 8
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
    engines: Sequence[EngineStatus],
    notes: Sequence[str],
    peak_memory_mib: float,
    invalid_requests: int,
    chore_faults: Sequence[str],
    warnings: Sequence[str],
) -> str:
    """Describe all servers together, for the owner of the bot.

    counts: prompts in the queue and being drawn. waits: median and 95th percentile of the last
    hour, in seconds.
    notes: what is wrong with other machines.
    """
    lines = [
        _describe_waitlist(texts.ALL_SERVERS, counts, waits),
        *_describe_engines(engines),
        *(f"• {quote(note, 200)}" for note in notes),
        texts.MEMORY(peak=round(peak_memory_mib)),
        texts.REFUSED(count=invalid_requests),
        texts.CHORES() if chore_faults else texts.CHORES_WELL(),
        *(f"• {quote(fault, 200)}" for fault in chore_faults[:_WARNINGS_SHOWN]),
        texts.WARNINGS() if warnings else texts.NO_WARNINGS(),
        *(f"• {quote(line, 200)}" for line in warnings[-_WARNINGS_SHOWN:]),
    ]
    return cut("\n".join(lines), _TEXT_MAX)


def _describe_engines(engines: Sequence[EngineStatus]) -> list[str]:
    if len(engines) == 1 and engines[0].info is not None:
        info = engines[0].info
        return [texts.ENGINE(model=info.name, device=info.device, dtype=info.dtype)]
    if len(engines) == 1:
        return [texts.ENGINE_LOADING()]
    ready = sum(engine.state is EngineState.READY for engine in engines)
    lines = [texts.ENGINES(ready=ready, all=len(engines))]
    for engine in engines[:_ENGINES_SHOWN]:
        line = texts.ENGINE_LINE(
            name=quote(engine.name, 40),
            state=_describe_state(engine),
            drawing=engine.num_drawing,
            pictures=engine.pictures_last_hour,
            faults=engine.num_faults,
        )
        lines.append(f"• {line}")
    if len(engines) > _ENGINES_SHOWN:
        lines.append("• …")
    return lines


def _describe_state(engine: EngineStatus) -> str:
    info, note = engine.info, quote(engine.note, 100)
    match engine.state:
        case EngineState.READY if info is not None:
            return texts.ENGINE_READY(
                model=quote(info.name, 40), device=info.device, dtype=info.dtype
            )
        case EngineState.DRAINING:
            return texts.STATE_DRAINING()
        case EngineState.LOST:
            return texts.STATE_LOST(note=note)
        case EngineState.REFUSED:
            return texts.STATE_REFUSED(note=note)
    return texts.STATE_LOADING()


def _describe_waitlist(
    where: Text, counts: tuple[int, int], waits: tuple[float, float] | None
) -> str:
    waited = texts.NO_WAITS()
    if waits is not None:
        waited = texts.WAITS(median=say_duration(waits[0]), slow=say_duration(waits[1]))
    return f"{where(waiting=counts[0], drawing=counts[1])} {waited}"
