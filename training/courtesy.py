"""Give way to others on a busy machine.

Two threads of one job wait for each other at every operation. So on a shared machine, the job is as
slow as the thread that is disturbed more. A single thread on the quieter core is several times
faster. But with another number of threads, sums are rounded differently, so do not use this if runs
must be equal to the last bit.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

_STAT = Path("/proc/stat")  # only on Linux; elsewhere, the number of threads never changes
_WINDOW_SECONDS = 2.0
_BUSY_CORES = 0.25


class Courtesy:
    """Call once per step. Uses one thread while other processes keep a core busy, else all."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.since, self.used = time.monotonic(), self._used()

    @staticmethod
    def _used() -> float:
        """Return the core-seconds that other processes have used since some fixed time."""
        if not _STAT.is_file():
            return 0.0
        _, user, nice, system, _ = _STAT.read_text(encoding="ascii").split(maxsplit=4)
        busy = (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")
        return busy - time.process_time()

    def __call__(self) -> None:
        seconds = time.monotonic() - self.since
        if seconds < _WINDOW_SECONDS:
            return
        used = self._used()
        is_busy = (used - self.used) / seconds > _BUSY_CORES
        wanted = 1 if is_busy else self.threads
        if wanted != torch.get_num_threads():
            torch.set_num_threads(wanted)
        self.since, self.used = time.monotonic(), used
