"""The fleet's figures: what is computed from the times, and what counts as a missed goal."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.fleet.figures import (
    Run,
    compute_jain,
    compute_throughput,
    count_begun_between,
    find_percentile,
    sum_up,
)


def make_found(pace: float, added_ms: float = 5.0, **changes: Any) -> dict[str, Any]:
    return {
        "requests_per_second": pace,
        "added_ms": [added_ms] * 10,
        "lags_ms": [1.0] * 10,
        "memory_mib": 100.0,
        "driver_mib": 0.0,
        "bot_imports_ray": False,
        "previews": 0,
        "load_average": 1.0,
    } | changes


FAIR = {"jain": 1.0, "delays": [0, 4]}
ALONE = make_found(2.0)


def sum_up_one(found: dict[str, Any], fairness: dict[str, Any] = FAIR) -> dict[str, Any]:
    return sum_up(ALONE, [Run("children", 4, found)], [], fairness)


def test_engines_that_never_rest_count_from_their_first_request_on():
    # two engines, one request a second each; the first ones took longer
    assert compute_throughput([6.0, 5.0, 5.5, 6.5, 7.0, 7.5], 2) == pytest.approx(4 / 2.0)


def test_index_is_one_for_equal_shares_and_lowest_if_one_takes_all():
    assert compute_jain([2.0, 2.0, 2.0]) == pytest.approx(1.0)
    assert compute_jain([5.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)


def test_only_what_began_between_counts_as_a_delay():
    assert count_begun_between([1.0, 2.0, 3.0, 4.0, 5.0, None], 2.0, 5.0) == 2


def test_percentile_is_a_measured_value():
    assert find_percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert find_percentile([3.0, 1.0, 2.0], 0.99) == 3.0


def test_worst_transport_counts():
    runs = [
        Run("children", 4, make_found(7.9, 3.0)),
        Run("machines", 4, make_found(7.6, 12.0, driver_mib=110.0, memory_mib=103.0)),
        Run("machines", 8, make_found(15.0, 90.0)),
    ]
    report = sum_up(ALONE, runs, [make_found(1.0, lags_ms=[lag]) for lag in (7.0, 2.0)], FAIR)
    assert report["efficiency"] == {"4": 0.95, "8": 0.938}
    assert report["added_latency_ms"] == {"p50": 12.0, "p99": 12.0}  # eight engines do not count
    assert report["loop_lag_ms_p99"] == 7.0
    assert report["memory_mib"] == {
        "bot_growth": 3.0,
        "driver_child": 110.0,
        "bot_imports_ray": False,
    }
    assert report["holds"]


@pytest.mark.parametrize(
    ("missed", "found", "fairness"),
    [
        ("efficiency", make_found(7.1), FAIR),
        ("added_latency_ms", make_found(8.0, 15.1), FAIR),
        ("added_latency_ms", make_found(8.0) | {"added_ms": [*[5.0] * 9, 61.0]}, FAIR),
        ("loop_lag_ms_p99", make_found(8.0, lags_ms=[50.1]), FAIR),
        ("memory_mib", make_found(8.0, memory_mib=121.0), FAIR),
        ("memory_mib", make_found(8.0, driver_mib=151.0), FAIR),
        ("memory_mib", make_found(8.0, bot_imports_ray=True), FAIR),
        ("jain", make_found(8.0), FAIR | {"jain": 0.94}),
        ("flooder_delay", make_found(8.0), FAIR | {"delays": [0, 5]}),
    ],
)
def test_missed_goal_is_named(missed: str, found: dict[str, Any], fairness: dict[str, Any]):
    report = sum_up_one(found, fairness)
    assert report["missed"] == [missed]
    assert not report["holds"]
