"""Turns what was measured into the figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def compute_throughput(ends: Sequence[float], num_engines: int) -> float:
    """Return the requests per second of engines that never rest, from when each request ended.

    The first request of each engine only starts its clock, because the others had begun before.
    """
    ordered = sorted(ends)
    first, last = ordered[num_engines - 1], ordered[-1]
    return (len(ordered) - num_engines) / (last - first)


def compute_jain(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 if all shares are equal. https://arxiv.org/abs/cs/9809099"""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


def count_begun_between(starts: Iterable[float | None], asked_at: float, started_at: float) -> int:
    """Count the requests that began after another was asked for and before it began."""
    return sum(start is not None and asked_at < start < started_at for start in starts)
