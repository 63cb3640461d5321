"""The clock of this process. It does not jump when somebody sets the machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable


def make_clock() -> Callable[[], float]:
    """Return a clock of seconds since 1970. It never jumps if somebody sets the machine's clock."""
    # CLOCK_BOOTTIME also counts the time while the machine sleeps
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    offset_seconds = time.time() - time.clock_gettime(clock)
    return lambda: offset_seconds + time.clock_gettime(clock)
