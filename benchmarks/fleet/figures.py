"""Turns what was measured into the figures, and compares them with their goals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# the goal for added latency is for four engines, because eight would share two cores
_LATENCY_ENGINES = 4


@dataclass(frozen=True, slots=True)
class Run:
    """What one bot measured. found: the result of ``house.measure``."""

    transport: str
    num_engines: int
    found: dict[str, Any]


def compute_throughput(ends: Sequence[float], num_engines: int) -> float:
    """Return the requests per second of engines that are always busy. ends: when each request
    ended.

    The time starts when as many requests have ended as there are engines, and these do not count.
    """
    ordered = sorted(ends)
    first, last = ordered[num_engines - 1], ordered[-1]
    return (len(ordered) - num_engines) / (last - first)


def compute_jain(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 if all shares are equal. https://arxiv.org/abs/cs/9809099"""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


def count_begun_between(starts: Iterable[float | None], asked_at: float, started_at: float) -> int:
    """Count the requests that began between two moments: when another one was sent and when it
    began.
    """
    return sum(start is not None and asked_at < start < started_at for start in starts)


def find_percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def sum_up(
    alone: dict[str, Any],
    runs: Sequence[Run],
    streaming: Sequence[dict[str, Any]],
    fairness: dict[str, Any],
) -> dict[str, Any]:
    """Return all figures. Efficiency, latency, lag and memory are those of the worst run.

    alone: one engine in the bot's process. streaming: runs that only measure the event loop's lag;
    if there are none, the other runs give it.
    """
    each = [_describe(run, alone) for run in runs]
    counted = [one for one in each if one["num_engines"] == _LATENCY_ENGINES]
    lags = [find_percentile(found["lags_ms"], 0.99) for found in streaming]
    report = {
        "efficiency": {
            str(count): min(one["efficiency"] for one in each if one["num_engines"] == count)
            for count in sorted({run.num_engines for run in runs})
        },
        "added_latency_ms": {
            name: max(one[f"added_{name}_ms"] for one in counted) for name in ("p50", "p99")
        },
        "loop_lag_ms_p99": round(max(lags or [one["lag_p99_ms"] for one in each]), 1),
        "memory_mib": {
            "bot_growth": max(one["bot_growth_mib"] for one in each),
            "driver_child": max(one["driver_mib"] for one in each),
            "bot_imports_ray": any(run.found["bot_imports_ray"] for run in runs),
        },
        "jain": round(fairness["jain"], 3),
        "flooder_delay": {
            "most": max(fairness["delays"]),
            "mean": round(sum(fairness["delays"]) / len(fairness["delays"]), 2),
        },
    }
    missed = list_missed(report)
    return report | {
        "missed": missed,
        "holds": not missed,
        "alone": {
            "requests_per_second": round(alone["requests_per_second"], 2),
            "added_p50_ms": round(find_percentile(alone["added_ms"], 0.5), 1),
            "added_p99_ms": round(find_percentile(alone["added_ms"], 0.99), 1),
            "memory_mib": round(alone["memory_mib"], 1),
        },
        "runs": each,
    }


def _describe(run: Run, alone: dict[str, Any]) -> dict[str, Any]:
    found = run.found
    best = run.num_engines * alone["requests_per_second"]
    return {
        "transport": run.transport,
        "num_engines": run.num_engines,
        "efficiency": round(found["requests_per_second"] / best, 3),
        "added_p50_ms": round(find_percentile(found["added_ms"], 0.5), 1),
        "added_p99_ms": round(find_percentile(found["added_ms"], 0.99), 1),
        "lag_p99_ms": round(find_percentile(found["lags_ms"], 0.99), 1),
        "bot_growth_mib": round(found["memory_mib"] - alone["memory_mib"], 1),
        "driver_mib": round(found["driver_mib"], 1),
        "previews_shown": found["previews"],
        "load_average": found["load_average"],
    }


def list_missed(report: dict[str, Any]) -> list[str]:
    """Name the figures that miss their goals, see docs/benchmarks.md."""
    added, memory = report["added_latency_ms"], report["memory_mib"]
    goals = {
        "efficiency": min(report["efficiency"].values()) >= 0.9,
        "added_latency_ms": added["p50"] <= 15.0 and added["p99"] <= 60.0,
        "loop_lag_ms_p99": report["loop_lag_ms_p99"] <= 50.0,
        "memory_mib": memory["bot_growth"] <= 20.0
        and memory["driver_child"] <= 150.0
        and not memory["bot_imports_ray"],
        "jain": report["jain"] >= 0.95,
        "flooder_delay": report["flooder_delay"]["most"] <= 4,  # one prompt for each engine
    }
    return [name for name, holds in goals.items() if not holds]
