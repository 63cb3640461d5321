"""Decides which model is on a device that cannot hold all of its models. Needs no torch.

While several models have requests, they take turns (deficit round robin): each draws for
``turn_seconds``, then the one that has waited longest is next. If only a resting model has
requests, it is next at once.

A turn is at least four times as long as a swap. So if two models have requests all the time, each
draws for more than a third of the time, whatever a swap takes. Hence this bound: no request waits
longer than it would if its model had a device of a third of the speed to itself, plus one turn of
the other model (with the swap before it) and one swap. ``tests/jobs/queue/test_swapping.py``
checks the bound in simulations. Longer turns shorten the waits of busy models and lengthen those
of the others: in these simulations, four was better than 2.5 and 6.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection

MIN_TURN_SECONDS = 20.0
"""While several models have requests, a swap comes only after this many seconds of drawing."""

_GRACE_SECONDS = 0.25
"""A model whose last request ended keeps the device for this time: the queue may send the next."""

_SWAPS_PER_TURN = 4.0
_KEPT_SWAPS = 5  # the length of a swap is estimated from this many


class SwapPolicy:
    """Chooses the model for the device. ``clock`` returns seconds.

    loaded: the model on the device; None if there is none.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.loaded: str | None = None
        self._clock = clock
        self._left = 0.0  # seconds of drawing that are left of the present turn
        self._overdrawn: dict[str, float] = {}  # what each model drew beyond its last turn
        self._waiting_since: dict[str, float] = {}
        self._wanted_at = -math.inf  # when the loaded model had requests last
        self._swaps: deque[float] = deque(maxlen=_KEPT_SWAPS)

    @property
    def swap_seconds(self) -> float:
        """Return the mean length of the last swaps; 0 before the first one."""
        return sum(self._swaps) / len(self._swaps) if self._swaps else 0.0

    @property
    def turn_seconds(self) -> float:
        """Return how long a model draws before the next one, while both have requests."""
        return max(MIN_TURN_SECONDS, _SWAPS_PER_TURN * self.swap_seconds)

    def choose(self, wanted: Collection[str]) -> str | None:
        """Return the model that should be on the device now. wanted: the models with requests."""
        now = self._clock()
        resting = [model for model in wanted if model != self.loaded]
        self._waiting_since = {model: self._waiting_since.get(model, now) for model in resting}
        for model in [model for model in self._overdrawn if model not in wanted]:
            del self._overdrawn[model]
        if self.loaded in wanted:
            self._wanted_at = now
        is_in_use = now - self._wanted_at < _GRACE_SECONDS
        if not resting or (is_in_use and self._left > 0):
            return self.loaded
        return min(resting, key=lambda model: self._waiting_since[model])

    def note_drawn(self, seconds: float) -> None:
        """Count a step of the loaded model. What it draws after its turn is not held against it."""
        if self._left > 0:
            self._left -= seconds

    def note_swapped(self, model: str, seconds: float | None = None) -> None:
        """Begin a model's turn. seconds: how long the swap took; None if it was no usual swap."""
        if self.loaded is not None:
            self._overdrawn[self.loaded] = max(0.0, -self._left)
        if seconds is not None:
            self._swaps.append(seconds)
        rest = self.turn_seconds - self._overdrawn.pop(model, 0.0)
        self.loaded, self._left = model, max(MIN_TURN_SECONDS, rest)
        self._wanted_at = self._clock()

    def note_gone(self, model: str) -> None:
        """Note that a model is no longer on the device, because it failed."""
        if self.loaded == model:
            self.loaded, self._left, self._wanted_at = None, 0.0, -math.inf
