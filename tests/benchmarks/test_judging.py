"""The judging benchmark lets two programs judge the same texts in turn. The best times count."""

from __future__ import annotations

from pathlib import Path

from benchmarks import judging
from benchmarks.checkouts import measure_in_turn
from benchmarks.judging import take_quickest

ROOT = Path(__file__).resolve().parents[2]


def test_each_checkout_times_each_text_in_each_round():
    pools = {"plain": ["a dog", "a cat"], "ages": ["a garlic"]}
    found = measure_in_turn(judging.__file__, [ROOT, ROOT], pools, rounds=2)
    sizes = [{name: len(times) for name, times in each.items()} for one in found for each in one]
    assert sizes == [{"plain": 2, "ages": 1}] * 4
    assert all(
        time > 0 for one in found for each in one for times in each.values() for time in times
    )


def test_quickest_of_all_rounds_counts_for_each_text():
    assert take_quickest([{"plain": [1.0, 4.0]}, {"plain": [2.0, 3.0]}]) == {"plain": [1.0, 3.0]}
