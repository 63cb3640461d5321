"""Limits how long a server's own rules may take for one prompt."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.errors import TooCostly

# seconds of CPU time of this thread; the rules of most servers need about 1 ms
ALLOWED_SECONDS = 0.05


class Allowance:
    """Stops a search when its CPU time is used up."""

    def __init__(
        self, seconds: float = ALLOWED_SECONDS, clock: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def check(self) -> None:
        """Raise TooCostly if the time is used up. A search calls this between its steps."""
        if self._clock() > self._end:
            raise TooCostly


def unlimited() -> None:
    """Set no limit. For the bot owner's rules, this is used in place of ``Allowance.check``."""
