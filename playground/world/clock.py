"""The clock that Discord's time limits run on."""

import time


class Clock:
    """Seconds that a test may move on; a frozen clock moves by `advance` alone.

    Ids keep to the wall clock whatever this one says: a bot compares them with its own.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self._frozen = frozen
        self._started_at = time.monotonic()
        self._started_time = time.time()
        self._advanced_seconds = 0.0

    def now(self) -> float:
        """Seconds since this clock was made."""
        running = 0.0 if self._frozen else time.monotonic() - self._started_at
        return running + self._advanced_seconds

    def time(self) -> float:
        """The same instant in seconds since 1970."""
        return self._started_time + self.now()

    @property
    def advanced_seconds(self) -> float:
        return self._advanced_seconds

    def advance(self, seconds: float) -> None:
        """Let so much time pass at once."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._advanced_seconds += seconds
