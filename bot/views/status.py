"""The words of /status: for a server's moderators, and for the owner of the application."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.api import ModelInfo
from bot.views.escape import quote

_WARNINGS_SHOWN = 5
_TEXT_MAX = 2000


def describe_here(
    counts: tuple[int, int], waits: tuple[float, float] | None, *, is_up: bool
) -> str:
    """What concerns the server of the moderator who asks, and nothing else."""
    return (
        f"**This server**: {_describe_waitlist(counts, waits)}\n"
        f"**Engine**: {'up' if is_up else 'the model is loading'}.\n"
        "-# Memory, warnings and the rest are shown to the owner of this bot alone."
    )


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
    """For the owner of the application: of all servers together.

    counts: prompts in the queue and being drawn. waits: seconds at p50 and p95 of the last hour.
    """
    engine = f"{info.name} on {info.device} ({info.dtype})" if info else "the model is loading"
    lines = [
        f"**All servers**: {_describe_waitlist(counts, waits)}",
        f"**Engine**: {engine}.",
        f"**Memory**: {peak_memory_mib:.0f} MiB at the most.",
        f"**Refused by Discord** in ten minutes: {invalid_requests}.",
        f"**Background chores**: {'' if chore_faults else 'all well'}",
        *(f"• {quote(fault, 200)}" for fault in chore_faults[:_WARNINGS_SHOWN]),
        f"**Last warnings**: {'' if warnings else 'none'}",
        *(f"• {quote(line, 200)}" for line in warnings[-_WARNINGS_SHOWN:]),
    ]
    return "\n".join(lines)[:_TEXT_MAX]


def _describe_waitlist(counts: tuple[int, int], waits: tuple[float, float] | None) -> str:
    waiting, drawing = counts
    waited = "nothing was drawn in the last hour"
    if waits is not None:
        waited = f"wait: median {waits[0]:.0f} s, 95th percentile {waits[1]:.0f} s"
    return f"{waiting} waiting, {drawing} being drawn; {waited}."
