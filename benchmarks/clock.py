"""The clock that measures waiting times."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Clock:
    """Wall-clock seconds, or seconds of processor time of this process.

    Processor time does not include other programs. If one thread draws, it therefore shows what a
    wall clock would show on an idle machine. While nothing is drawn, ``sleep_until`` moves the
    clock forward itself.
    """

    def __init__(self, *, of_process: bool = False) -> None:
        self._of_process = of_process
        self._skipped = 0.0

    def now(self) -> float:
        """Return the time in seconds since an arbitrary moment."""
        return (time.process_time() if self._of_process else time.perf_counter()) + self._skipped

    async def sleep_until(self, due: float, is_drawing: Callable[[], bool]) -> None:
        """Wait until the clock shows ``due``."""
        while (left := due - self.now()) > 0:
            if not self._of_process:
                await asyncio.sleep(left)
            elif is_drawing():
                await asyncio.sleep(min(left, 0.01))
            else:
                self._skipped += left
