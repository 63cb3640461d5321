"""The words of /status."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.face import ModelInfo
from bot.replies import quote

_WARNINGS_SHOWN = 5
_TEXT_MAX = 2000
NOT_A_MODERATOR = "Only members who may manage messages here can see how Triptych is."


def describe_status(
    *,
    length: int,
    drawing: int,
    waits: tuple[float, float] | None,
    info: ModelInfo | None,
    peak_memory_mib: float,
    invalid_requests: int,
    warnings: Sequence[str],
) -> str:
    """waits: seconds at p50 and p95 of the last hour."""
    waited = "nothing was drawn in the last hour"
    if waits is not None:
        waited = f"half waited up to {waits[0]:.0f} s, 95 % up to {waits[1]:.0f} s"
    engine = f"{info.name} on {info.device} ({info.dtype})" if info else "the model is loading"
    lines = [
        f"**Line**: {length} waiting, {drawing} being drawn; {waited}.",
        f"**Engine**: {engine}.",
        f"**Memory**: {peak_memory_mib:.0f} MiB at the most.",
        f"**Refused by Discord** in ten minutes: {invalid_requests}.",
        f"**Last warnings**: {'' if warnings else 'none'}",
        *(f"• {quote(line, 200)}" for line in warnings[-_WARNINGS_SHOWN:]),
    ]
    return "\n".join(lines)[:_TEXT_MAX]
