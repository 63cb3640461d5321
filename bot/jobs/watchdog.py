"""Notices a device that hangs: no step for far longer than the last ones took."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

HUNG_SECONDS = 120.0  # without a step, at least, and …
HUNG_STEPS = 100.0  # … this many times what a slow one of the last steps took
FIRST_STEP_SECONDS = 900.0  # the very first one may tune or compile
_RECENT_STEPS = 50
_SLOW = 0.9  # of the last steps are not slower; the others may have been an accident


class Watchdog:
    """Follows the steps of whatever is being drawn, and how long they take lately."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stepped_at = now()
        self._has_stepped = False
        self._recent: deque[float] = deque(maxlen=_RECENT_STEPS)

    def begin(self) -> None:
        """Drawing begins after a pause: time counts from now."""
        self._stepped_at = self._now()

    def note_step(self) -> None:
        """A step was taken. How long the very first one took says nothing about the next."""
        now = self._now()
        if self._has_stepped:
            self._recent.append(now - self._stepped_at)
        self._has_stepped = True
        self._stepped_at = now

    @property
    def patience_seconds(self) -> float:
        """How long a step may take before the device counts as hung."""
        if not self._recent:
            return max(HUNG_SECONDS, FIRST_STEP_SECONDS)
        slow = sorted(self._recent)[int(_SLOW * len(self._recent))]
        return max(HUNG_SECONDS, HUNG_STEPS * slow)

    @property
    def silent_seconds(self) -> float:
        """Time since the last step."""
        return self._now() - self._stepped_at

    @property
    def is_hung(self) -> bool:
        """Whether something that is being drawn has been silent for too long."""
        return self.silent_seconds > self.patience_seconds
