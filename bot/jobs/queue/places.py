"""Describes a job's place in the queue, and why it has that place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class PlaceReason(Enum):
    """The reasons for a job's place in the queue."""

    NEXT = auto()
    CAME_FIRST = auto()  # everyone ahead asked earlier
    LESS_USE = auto()  # people who asked later are ahead because they have drawn less lately
    # people who asked later are ahead because their server has drawn less lately
    GUILD_LESS_USE = auto()
    # people who asked later are ahead because their roles have a greater share of the queue
    GREATER_SHARE = auto()
    # others are ahead because the member has prompts ahead too, and these count as use
    TURNS = auto()
    OWN_FIRST = auto()  # only the member's own prompts are ahead


@dataclass(frozen=True, slots=True)
class Place:
    """A job's place in the queue.

    position: starts at 1. members_ahead: how many other people have a prompt ahead. overtaken_by:
    how many of these people asked later. wait_seconds: the time until the picture is done.
    """

    position: int
    members_ahead: int
    overtaken_by: int
    reason: PlaceReason
    wait_seconds: float | None
