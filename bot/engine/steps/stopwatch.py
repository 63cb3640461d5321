"""Times steps that did nothing else than to step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bot.engine.steps.groups import Member, Panel


class Stopwatch:
    """Times a step if the same pictures took the step before, and nothing came in between.

    Other steps may also wait for an encoded prompt, warm up or capture a graph. On the CPU it
    counts processor time, so that other programs do not disturb it. Elsewhere the engine is one
    step ahead of the device, and the time between two ends is that of the step before; so the
    pictures must have been the same for three steps.
    """

    def __init__(self, *, on_cpu: bool, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (time.process_time if on_cpu else time.perf_counter)
        self._on_cpu = on_cpu
        self._last: list[tuple[Panel, int]] = []
        self._num_same = 0
        self._mark = 0.0

    def reset(self) -> None:
        """Do not compare the next step with the one before."""
        self._last, self._num_same = [], 0

    def interrupt(self) -> None:
        """Note that something else than steps uses the device. On the CPU only steps are timed."""
        if not self._on_cpu:
            self.reset()

    def start(self, members: Sequence[Member]) -> None:
        """Begin with a step."""
        last, self._last = self._last, [(each.panel, each.entry.num_rows) for each in members]
        is_same = len(last) == len(members) and all(
            panel is before and num_rows == rows_before
            for (panel, num_rows), (before, rows_before) in zip(self._last, last, strict=True)
        )
        self._num_same = self._num_same + 1 if is_same else 0
        if self._on_cpu:
            self._mark = self._clock()

    def stop(self) -> float | None:
        """End a step. Return its seconds, or None if they do not count."""
        began, self._mark = self._mark, self._clock()
        return self._mark - began if self._num_same >= (1 if self._on_cpu else 2) else None
