"""The clock for Discord's time limits."""

import time


class Clock:
    """A clock that a test can move forward. A frozen clock moves only when `advance` is called.

    Ids always use the wall clock, because a bot compares the times in them with its own clock.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self._frozen = frozen
        self._started_at = time.monotonic()
        self._started_time = time.time()
        self._advanced_seconds = 0.0

    def now(self) -> float:
        """Return the seconds since this clock was made."""
        running = 0.0 if self._frozen else time.monotonic() - self._started_at
        return running + self._advanced_seconds

    def time(self) -> float:
        """Return the current time in seconds since 1970."""
        return self._started_time + self.now()

    @property
    def advanced_seconds(self) -> float:
        return self._advanced_seconds

    def advance(self, seconds: float) -> None:
        """Let this much time pass at once."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._advanced_seconds += seconds
