"""The time of this process: wall-clock seconds that no change of the clock moves."""

from __future__ import annotations

import time
from collections.abc import Callable


def make_clock() -> Callable[[], float]:
    """Seconds since 1970 that run evenly from now on, even if the machine's clock is set."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # boot time also counts sleep
    offset_seconds = time.time() - time.clock_gettime(clock)
    return lambda: offset_seconds + time.clock_gettime(clock)
