"""Learns the best number of rows per step, from steps that members wait for anyway.

Needs no torch. Now and then, it tries a few steps with the next larger or smaller bucket of rows.
It compares their time per row only with the steps directly before and after them, because other
programs may slow the device down at any time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from statistics import mean

from bot.engine.capacity.buckets import BUCKETS, find_bucket

GOOD_ENOUGH = 0.95
"""The knee is the fewest rows that reach this share of the best speed."""

_GOOD_ENOUGH_TO_SHRINK = 0.97
"""A smaller number of rows must reach this share, so that noise does not move the choice up and
down.
"""

_WORTH_GROWING = 1.02
"""A larger bucket must be this many times as fast, even if still larger ones are far faster."""

EXPIRY_SECONDS = 600.0
_KEPT = 50
"""How many steps are remembered for each bucket."""

_ENOUGH = 4
"""How many steps of a bucket must be compared before the rows are changed."""

_AROUND = 12
"""A trial is compared with this many normal steps before it, and this many after it."""

_PAUSE = 30
"""How many normal, full steps are taken for each step of a trial."""

_TRIAL_SAMPLES = 4
_TRIAL_STEPS = 8
"""A trial ends after _TRIAL_SAMPLES steps that count, or after _TRIAL_STEPS steps in all."""

_RECHECK_SECONDS = 60.0
"""The smaller bucket is tried again if its last trial is older than this."""

_Samples = deque[tuple[float, float]]
"""When each step was taken, and its time per row."""


def find_knee(rates: Mapping[int, float]) -> int:
    """Return the smallest number of rows that reaches 95 % of the best measured speed."""
    best = max(rates.values())
    return min(rows for rows, rate in rates.items() if rate >= GOOD_ENOUGH * best)


class Learner:
    """Chooses the number of rows per step. Rows that are not of native size count by their area.

    rows: the present choice. next_trial: the number to try in the next step, if enough rows are
    waiting; None if no trial is due. least_rows, max_rows: the limits of the choice.
    """

    def __init__(self, rows: int, least_rows: int, max_rows: int | None = None) -> None:
        self.rows = rows
        self.next_trial: int | None = None
        self._choices = [bucket for bucket in BUCKETS if bucket >= least_rows]
        self._now: _Samples = deque(maxlen=2 * _AROUND)  # the last steps with ``rows`` rows
        self._cost = 1.0  # the time per row, divided by that of the first choice
        self._tried: dict[int, _Samples] = {}  # the same for steps with other buckets
        self._trial: list[tuple[int, float]] = []  # the last trial: rows, seconds per row
        self._num_tried = 0  # steps of the present trial
        self._num_usual = 0  # usual steps since the last trial
        self._num_after = 0  # how many of these steps have a time that counts
        self._pause = _PAUSE
        self.limit(max_rows or BUCKETS[-1])

    @property
    def next_rows(self) -> int:
        """Return the largest number that the next trials may use, or the present one."""
        return max(self._find_larger(), default=self.rows)

    def limit(self, max_rows: int) -> None:
        """Do not choose more rows than this from now on, because they do not fit in memory."""
        self.next_trial, self._trial, self._num_tried = None, [], 0
        self._choices = [each for each in self._choices if each <= max_rows]
        if self._choices:
            self.rows = max(
                [each for each in self._choices if each <= self.rows], default=self.rows
            )

    def note(self, rows: float, seconds: float | None, now: float) -> None:
        """Learn from a step. seconds: None if it did more than usual, such as encoding a prompt."""
        bucket = find_bucket(rows)
        if bucket == self.next_trial:
            self._note_trial(bucket, seconds and seconds / rows)
        elif bucket == self.rows:
            self._note_usual(seconds and seconds / rows, now)

    def _note_trial(self, bucket: int, cost: float | None) -> None:
        self._num_tried += 1
        self._trial += [(bucket, cost)] if cost else []
        if len(self._trial) >= _TRIAL_SAMPLES or self._num_tried >= _TRIAL_STEPS:
            self._pause, self._num_usual = _PAUSE * self._num_tried, 0
            self._num_after = self._num_tried = 0
            self.next_trial = None

    def _note_usual(self, cost: float | None, now: float) -> None:
        if cost:
            self._now.append((now, cost))
            self._num_after += 1
        self._num_usual += 1
        if self._trial and self._num_after >= _AROUND:
            self._compare(now)
        if self._num_usual >= self._pause and self._num_after >= _AROUND:
            self._pause, self._num_usual = _PAUSE, 0
            self.next_trial = self._choose_trial(now)

    def _compare(self, now: float) -> None:
        """Compare the last trial with the steps around it.

        If the device became busy or free during the trial, it was free either before or after it.
        The trial is compared with the fast steps of that time, so it looks too slow and changes
        nothing.
        """
        usual = _find_typical([cost for _, cost in self._now])
        for bucket, cost in self._trial:
            samples = self._tried.setdefault(bucket, deque(maxlen=_KEPT))
            samples.append((now, self._cost * cost / usual))
        self._trial = []
        self._choose(now)

    def _choose_trial(self, now: float) -> int | None:
        """Choose the next larger bucket, and the next smaller one now and then.

        If enough trials of the next larger one changed nothing, try the one after it in turn.
        """
        smaller = self._find_smaller()
        if smaller is not None and self._find_last_trial(smaller) < now - _RECHECK_SECONDS:
            return smaller
        larger = self._find_larger()
        if larger and len(self._tried.get(larger[0], ())) < _ENOUGH:
            return larger[0]
        return min(larger, key=self._find_last_trial, default=None)

    def _find_last_trial(self, bucket: int) -> float:
        samples = self._tried.get(bucket)
        return samples[-1][0] if samples else float("-inf")

    def _find_smaller(self) -> int | None:
        return max((each for each in self._choices if each < self.rows), default=None)

    def _find_larger(self) -> list[int]:
        """Return the next two larger choices. The first one alone may be no faster by chance."""
        return [each for each in self._choices if each > self.rows][:2]

    def _choose(self, now: float) -> None:
        """Change to the next smaller or larger bucket if enough trials show that it is better."""
        known = {self.rows: self._cost}
        for bucket, samples in self._tried.items():
            while samples and samples[0][0] < now - EXPIRY_SECONDS:
                samples.popleft()
            if len(samples) >= _ENOUGH:
                known.setdefault(bucket, _find_typical([cost for _, cost in samples]))
        speeds = {bucket: 1 / cost for bucket, cost in _fit(known, self._choices).items()}
        best, here = max(speeds.values()), speeds[self.rows]
        smaller = self._find_smaller()
        if smaller in known and known[smaller] * best <= 1 / _GOOD_ENOUGH_TO_SHRINK:
            self._move(smaller, known, now)
        elif here < GOOD_ENOUGH * best:
            larger = [each for each in self._find_larger() if each in known]
            faster = [each for each in larger if speeds[each] > _WORTH_GROWING * here]
            if faster:
                self._move(faster[0], known, now)

    def _move(self, rows: int, known: Mapping[int, float], now: float) -> None:
        self._tried[self.rows] = deque([(now, self._cost)] * _ENOUGH, maxlen=_KEPT)
        self._now.clear()
        self._pause, self._num_usual, self._num_after = _PAUSE, 0, 0
        self._cost = known[rows]
        self._tried.pop(rows)
        self.rows = rows


def _find_typical(costs: Sequence[float]) -> float:
    """Return the first quartile, because most disturbances make a step slower."""
    return sorted(costs)[(len(costs) - 1) // 4]


def _fit(known: Mapping[int, float], choices: Sequence[int]) -> dict[int, float]:
    """Estimate the time per row of buckets that were not measured.

    A step takes a + b·rows, so a row takes b + a / rows.
    """
    xs = [1 / rows for rows in known]
    middle, level = mean(xs), mean(known.values())
    spread = sum((x - middle) ** 2 for x in xs)
    covariance = sum((x - middle) * (y - level) for x, y in zip(xs, known.values(), strict=True))
    slope = max(0.0, covariance / spread) if spread else 0.0
    fitted = {rows: level + slope * (1 / rows - middle) for rows in choices}
    least = min(known.values()) / 2  # assume at most twice the best speed seen
    return {**{rows: max(cost, least) for rows, cost in fitted.items()}, **known}
