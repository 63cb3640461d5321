"""The clock of this process: seconds since 1970, which do not jump when the clock is set."""

from __future__ import annotations

import time
from collections.abc import Callable


def make_clock() -> Callable[[], float]:
    """Return a clock of seconds since 1970. It never jumps, even if the machine's clock is set."""
    # CLOCK_BOOTTIME also counts the time while the machine sleeps
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    offset_seconds = time.time() - time.clock_gettime(clock)
    return lambda: offset_seconds + time.clock_gettime(clock)
