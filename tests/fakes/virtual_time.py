"""An event loop that jumps to the next timer when everything waits."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class VirtualLoop(asyncio.SelectorEventLoop):
    """For tests marked ``virtual_time``, which must not wait for threads or other processes."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        self._now += seconds


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        """Return what is ready, or else jump to the next timer."""
        if timeout is None:
            return super().select(None)
        events = super().select(0)
        if not events:
            self._loop.skip(timeout)
        return events
