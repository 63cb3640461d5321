"""The clock that waits are measured with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Seconds on the wall, or seconds that this process has computed.

    The second kind leaves out what other programs on the machine take: with one thread drawing it
    is what the wall would show on a machine at rest. While nobody draws, it is moved on.
    """

    def __init__(self, *, of_process: bool = False) -> None:
        self._of_process = of_process
        self._skipped = 0.0

    def now(self) -> float:
        """Return the time in seconds, from an arbitrary beginning."""
        return (time.process_time() if self._of_process else time.perf_counter()) + self._skipped

    async def sleep_until(self, due: float, is_drawing: Callable[[], bool]) -> None:
        """Return when the time has come."""
        while (left := due - self.now()) > 0:
            if not self._of_process:
                await asyncio.sleep(left)
            elif is_drawing():
                await asyncio.sleep(min(left, 0.01))
            else:
                self._skipped += left
