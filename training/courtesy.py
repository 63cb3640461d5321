"""Give way to others on a busy machine.

Two threads of one job wait for each other at every operation, so on a shared machine the job runs
at the pace of the more disturbed one; a single thread on the quieter core is several times faster.
Sums then differ by rounding: leave this off where runs must be equal to the last bit.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch

_STAT = Path("/proc/stat")  # Linux alone has it; elsewhere the number of threads stays
_WINDOW_SECONDS = 2.0
_BUSY_CORES = 0.25


class Courtesy:
    """Call once a step: one thread while other processes keep a core busy, all of them else."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.since, self.used = time.monotonic(), self._used()

    @staticmethod
    def _used() -> float:
        """Core-seconds spent by other processes since the machine started, and a constant."""
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
