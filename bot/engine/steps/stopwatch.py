"""Times steps, except those that also did other work."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable


class Stopwatch:
    """Times a step if it is like the one before, so that warming up and capturing do not count.

    On the CPU, it measures processor time, which other programs do not disturb. Prompts are encoded
    and pictures decoded before the step is timed. On other devices, this happens between two steps.
    There, the engine is one step ahead of the device, so the time from one call of ``stop`` to the
    next is that of the earlier step. Therefore, the same requests must have been in flight for
    three steps.
    """

    def __init__(self, *, on_cpu: bool, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or (time.process_time if on_cpu else time.perf_counter)
        self._on_cpu = on_cpu
        self._last: Hashable = None
        self._num_alike = 0
        self._mark = 0.0

    def reset(self) -> None:
        """Do not compare the next step with the one before."""
        self._last = None

    def interrupt(self) -> None:
        """Note that work other than steps uses the device."""
        if not self._on_cpu:
            self.reset()

    def start(self, kind: Hashable, in_flight: Hashable) -> None:
        """Start timing a step. kind: its size and bucket. in_flight: all requests."""
        this = (kind, None if self._on_cpu else in_flight)
        self._num_alike = self._num_alike + 1 if this == self._last else 0
        self._last = this
        if self._on_cpu:
            self._mark = self._clock()

    def stop(self) -> float | None:
        """Stop timing. Return the step's seconds, or None if they do not count."""
        began, self._mark = self._mark, self._clock()
        return self._mark - began if self._num_alike >= (1 if self._on_cpu else 2) else None
