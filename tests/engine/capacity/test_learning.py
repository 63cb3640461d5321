"""The engine learns how many rows a step should have. Here it learns on simulated machines."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from bot.engine.capacity.buckets import BUCKETS
from bot.engine.capacity.learning import EXPIRY_SECONDS, Learner, find_knee

LEAST = 12
Machine = Callable[[int, float], float]
"""The seconds of a step, from its rows and the time."""


def take_flat(rows: int, now: float) -> float:
    """A step takes as long with many rows as with few."""
    return 0.1


def take_linear(rows: int, now: float) -> float:
    """A step takes twice as long with twice the rows."""
    return 0.004 * rows


def take_saturating(rows: int, now: float) -> float:
    """As on a CPU: 32 rows are the fewest that are nearly as fast per row as the most."""
    return 0.01 + 0.004 * rows


def slow_down(machine: Machine, begin: float, end: float, factor: float) -> Machine:
    """Let other programs slow the machine down for some time."""
    return lambda rows, now: machine(rows, now) * (factor if begin <= now < end else 1.0)


class Simulation:
    """A machine that draws all the time.

    moves: the new number of rows at each change. trials: the rows of all steps that were trials.
    """

    def __init__(self, rows: int, max_rows: int | None = None, demand: int = 2 * BUCKETS[-1]):
        self.learner = Learner(rows, LEAST, max_rows)
        self.now, self.moves, self.trials = 0.0, list[int](), list[int]()
        self.num_steps = 0
        self._demand, self._random = demand, Random(7)

    def draw(self, machine: Machine, seconds: float, noise: float = 0.0) -> None:
        """noise: by how much other programs slow a step down, half of the time."""
        end = self.now + seconds
        while self.now < end:
            before = self.learner.rows
            trial = self.learner.next_trial
            fits = trial is not None and trial <= self._demand
            rows = trial if trial and fits else min(before, self._demand)
            self.trials += [rows] if fits else []
            taken = machine(rows, self.now)
            taken *= 1 + max(0.0, self._random.uniform(-noise, noise))
            self.now += taken
            self.num_steps += 1
            # while pictures come and go, about every second step does not count
            counts = self._random.random() < 0.5
            self.learner.note(rows, taken if counts else None, self.now)
            if self.learner.rows != before:
                self.moves.append(self.learner.rows)


def find_best(machine: Machine, now: float = 0.0) -> int:
    return find_knee({b: b / machine(b, now) for b in BUCKETS if b >= LEAST})


@pytest.mark.parametrize("machine", [take_flat, take_linear, take_saturating])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_knee_is_found_from_below(machine: Machine, noise: float) -> None:
    simulation = Simulation(LEAST)
    simulation.draw(machine, 300, noise)
    assert simulation.learner.rows == find_best(machine)
    assert simulation.moves == sorted(set(simulation.moves)), "one bucket after the other"


def test_too_many_rows_are_found_out() -> None:
    simulation = Simulation(BUCKETS[-1])
    simulation.draw(take_linear, 900)
    assert simulation.learner.rows == LEAST
    assert simulation.moves == [48, 32, 24, 16, 12]


def test_trials_are_one_step_in_thirty() -> None:
    simulation = Simulation(24)
    simulation.draw(take_saturating, 600)
    assert 1 / 40 < len(simulation.trials) / simulation.num_steps <= 1 / 29


def test_many_rows_are_not_tried_unless_as_many_wait() -> None:
    simulation = Simulation(16, demand=16)
    simulation.draw(take_flat, 300)
    assert set(simulation.trials) == {12}
    assert simulation.learner.rows == 16


def test_rows_never_exceed_what_fits_in_memory() -> None:
    simulation = Simulation(LEAST, max_rows=30)
    simulation.draw(take_flat, 300)
    assert (simulation.learner.rows, max(simulation.trials)) == (24, 24)
    cramped = Simulation(4, max_rows=4)
    cramped.draw(take_flat, 300)
    assert (cramped.learner.rows, cramped.trials) == (4, []), "less than the least"


def test_rows_that_did_not_fit_when_tried_are_not_tried_again() -> None:
    simulation = Simulation(LEAST)
    while simulation.learner.next_trial != 32:
        simulation.draw(take_flat, 0.1)
    simulation.learner.limit(simulation.learner.rows)
    assert simulation.learner.next_trial is None
    simulation.trials.clear()
    simulation.draw(take_flat, 300)
    assert (simulation.learner.rows, max(simulation.trials)) == (24, 16)


def test_machine_that_was_busy_when_it_was_measured_recovers() -> None:
    simulation = Simulation(16)
    busy = slow_down(take_saturating, 0, 30, 3.0)
    simulation.draw(busy, 30, noise=1.0)
    simulation.draw(busy, 90)
    assert simulation.learner.rows in {32, 48}


@pytest.mark.parametrize("factor", [1.5, 3.0, 10.0])
def test_busy_spell_does_not_move_the_rows(factor: float) -> None:
    for begin in range(100, 130):  # before, in and after a trial
        simulation = Simulation(32)
        machine = slow_down(take_saturating, begin, begin + 20, factor)
        simulation.draw(machine, 200, noise=0.02)
        assert simulation.moves == [], f"it began after {begin} s"


def test_promise_of_many_rows_is_not_enough_where_the_next_are_no_faster() -> None:
    def take_stepped(rows: int, now: float) -> float:
        return 0.004 * rows * (1.3 if rows < 16 else 1.0)

    simulation = Simulation(LEAST)
    simulation.draw(take_stepped, 600)
    assert simulation.moves == [16]


def test_faster_bucket_is_found_behind_one_that_is_no_faster() -> None:
    def take_stepped(rows: int, now: float) -> float:
        return 0.004 * rows * (1.1 if rows < 24 else 1.0)

    simulation = Simulation(LEAST)
    simulation.draw(take_stepped, 300)
    assert simulation.moves == [24]


def test_rows_do_not_go_up_and_down_on_a_machine_that_is_always_busy() -> None:
    simulation = Simulation(LEAST)
    simulation.draw(take_saturating, 1800, noise=0.3)
    assert simulation.learner.rows in {24, 32, 48}
    assert len(simulation.moves) <= 6


def test_machine_that_changed_is_learned_anew() -> None:
    simulation = Simulation(LEAST)
    simulation.draw(take_flat, 300)
    assert simulation.learner.rows == 64
    simulation.draw(take_linear, 1800)
    assert simulation.learner.rows == LEAST


@pytest.mark.parametrize(("gap", "rows"), [(1.0, 16), (EXPIRY_SECONDS, LEAST)])
def test_trials_are_forgotten_after_ten_minutes(gap: float, rows: int) -> None:
    learner, now = Learner(LEAST, LEAST), 0.0
    for _ in range(2):
        while learner.next_trial is None:
            learner.note(LEAST, 1.2, now := now + 1e-3)
        for seconds in (1.0, 1.0, *[None] * 6):  # two times count; a move needs four
            assert learner.next_trial == 16
            learner.note(16, seconds, now)
        for _ in range(12):
            learner.note(LEAST, 1.2, now)
        now += gap
    assert learner.rows == rows


def test_steps_that_did_more_than_usual_teach_nothing() -> None:
    learner = Learner(LEAST, LEAST)
    for now in range(2000):
        learner.note(learner.next_trial or learner.rows, None, float(now))
    assert learner.rows == LEAST


def test_other_sizes_count_by_their_area() -> None:
    """Steps that do not fill a bucket count with their own rows, not with the bucket's rows."""
    learner = Learner(LEAST, LEAST)
    for now in range(2000):
        rows = 12.5 if learner.next_trial == 16 else 12.0
        learner.note(rows, 0.1 * rows, float(now))
    assert learner.rows == LEAST, "as fast for a row"
