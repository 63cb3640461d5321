"""The clock that measures waiting times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Wall-clock seconds, or seconds of processor time of this process.

    Processor time leaves out other programs: with one thread drawing, it shows what a wall clock
    would show on an idle machine. While nothing is drawn, the clock is moved forward by hand.
    """

    def __init__(self, *, of_process: bool = False) -> None:
        self._of_process = of_process
        self._skipped = 0.0

    def now(self) -> float:
        """Return the time in seconds, from an arbitrary beginning."""
        return (time.process_time() if self._of_process else time.perf_counter()) + self._skipped

    async def sleep_until(self, due: float, is_drawing: Callable[[], bool]) -> None:
        """Wait until ``due``."""
        while (left := due - self.now()) > 0:
            if not self._of_process:
                await asyncio.sleep(left)
            elif is_drawing():
                await asyncio.sleep(min(left, 0.01))
            else:
                self._skipped += left
