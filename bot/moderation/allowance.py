"""Limits how long a server's own rules may take for one prompt."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.errors import TooCostly

# seconds of this thread's CPU time; the rules of most servers need about 1 ms
ALLOWED_SECONDS = 0.05


class Allowance:
    """Stops a search that has used up its CPU time."""

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
    """Do nothing. Replaces ``Allowance.check`` for rules that the owner of the bot has chosen."""
