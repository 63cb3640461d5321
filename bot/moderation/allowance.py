"""How long a server's own rules may take over one prompt."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.errors import TooCostly

ALLOWED_SECONDS = 0.05  # of this thread's CPU time; the rules a server may have mostly need 1 ms


class Allowance:
    """CPU seconds that are spent while something is searched for."""

    def __init__(
        self, seconds: float = ALLOWED_SECONDS, clock: Callable[[], float] = time.thread_time
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def check(self) -> None:
        """Between two steps that cannot be cut short. Raises TooCostly when all is spent."""
        if self._clock() > self._end:
            raise TooCostly


def unlimited() -> None:
    """In place of ``Allowance.check``: for what the owner of the bot has chosen."""
