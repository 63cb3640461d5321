"""Where a job stands in the queue, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class PlaceReason(Enum):
    """Why a job stands where it stands in the queue."""

    NEXT = auto()
    CAME_FIRST = auto()  # everyone ahead asked earlier
    LESS_USE = auto()  # who asked later and stands ahead has drawn less lately
    GUILD_LESS_USE = auto()  # … or belongs to a server that has
    GREATER_SHARE = auto()  # … or whose roles have a greater share of the queue
    TURNS = auto()  # nobody has drawn less, but prompts ahead of this one count as well
    OWN_FIRST = auto()  # only the member's own prompts are ahead


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands.

    position: from 1. members_ahead: other people with a prompt ahead. overtaken_by: how many of
    these asked later. wait_seconds: until the picture.
    """

    position: int
    members_ahead: int
    overtaken_by: int
    reason: PlaceReason
    wait_seconds: float | None
