"""Notices a device that hangs, because a step takes far longer than the last ones."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

# A device counts as hung if a step exceeds two limits. The first is in seconds.
HUNG_SECONDS = 120.0
# The second limit is this many times as long as a slow step takes.
HUNG_STEPS = 100.0
FIRST_STEP_SECONDS = 900.0  # the limit for the very first step, which may tune or compile
_RECENT_STEPS = 50
_SLOW = 0.9  # a slow step takes longer than this share of the last steps


class Watchdog:
    """Times the steps of an engine."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stepped_at = now()
        self._has_stepped = False
        self._recent: deque[float] = deque(maxlen=_RECENT_STEPS)

    def begin(self) -> None:
        """Start the clock, because drawing begins after a pause."""
        self._stepped_at = self._now()

    def note_step(self) -> None:
        """Note that a step was taken. The very first one is not timed: it may tune or compile."""
        now = self._now()
        if self._has_stepped:
            self._recent.append(now - self._stepped_at)
        self._has_stepped = True
        self._stepped_at = now

    @property
    def patience_seconds(self) -> float:
        """Return how long a step may take before the device counts as hung."""
        if not self._recent:
            return max(HUNG_SECONDS, FIRST_STEP_SECONDS)
        slow = sorted(self._recent)[int(_SLOW * len(self._recent))]
        return max(HUNG_SECONDS, HUNG_STEPS * slow)

    @property
    def silent_seconds(self) -> float:
        """Return the seconds since the last step."""
        return self._now() - self._stepped_at

    @property
    def is_hung(self) -> bool:
        """Return whether the last step was too long ago."""
        return self.silent_seconds > self.patience_seconds
