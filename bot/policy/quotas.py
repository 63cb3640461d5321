"""The quotas: how much may wait, and how much one member may have drawn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quotas:
    """How much may wait, and how much one member may have drawn. See .env.example."""

    max_waiting_per_member: int
    max_waiting_per_guild: int
    max_waiting: int
    max_cost_per_member_per_hour: float
    max_refused_per_member_per_hour: int
