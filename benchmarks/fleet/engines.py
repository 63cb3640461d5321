"""Fake engines with set step times, and the ways to reach them."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.cluster.machines import Machines, start_driver
from bot.cluster.nodes import make_environ
from bot.engine import (
    EngineApi,
    EnginePool,
    GenerationOutput,
    GenerationRequest,
    RemoteEngine,
)
from bot.engine.api import ProgressCallback
from bot.engine.fleet.processes import start_engine
from tests.fakes.engine import INFO, FakeEngine

_SKETCH_SIDE = 64  # a picture of 512 × 512 pixels has previews of 64 × 64


class StreamingEngine(FakeEngine):
    """Sends previews as large as those of a real model, which are hard to compress."""

    def __init__(self, step_seconds: float, side: int) -> None:
        super().__init__(step_seconds=step_seconds, info=replace(INFO, width=side, height=side))
        self.drawn = deque(maxlen=0)
        self._noise = np.random.default_rng(1).integers(
            0, 256, (3, _SKETCH_SIDE, _SKETCH_SIDE, 3), np.uint8
        )

    def _sketch(self, request: GenerationRequest) -> NDArray[np.uint8]:
        return self._noise[: len(request.recipe.seeds)]


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes a fake engine in the process that calls it. side: the width and height of pictures."""

    step_seconds: float
    side: int

    def __call__(self, number: int = 0) -> EngineApi:
        return StreamingEngine(self.step_seconds, self.side)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A request that was drawn. Times are seconds of the monotonic clock."""

    began_at: float
    ended_at: float
    num_steps: int


class TimedPool(EnginePool):
    """Notes when each request was submitted, and when it was done."""

    def watch(self) -> list[Drawing]:
        """Return a new list, to which drawings are added from now on."""
        with self._lock:
            self._seen: list[Drawing] = []
        return self._seen

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        """Draw a request."""
        began_at = time.monotonic()
        seen = getattr(self, "_seen", [])

        def note(done: Future[GenerationOutput]) -> None:
            if done.exception() is None:
                steps = request.recipe.num_inference_steps or 0
                seen.append(Drawing(began_at, time.monotonic(), steps))

        future = super().submit(request, on_progress)
        future.add_done_callback(note)
        return future


def open_pool(
    transport: str, num_engines: int, maker: Maker, address: str, token_file: str
) -> TimedPool:
    """Make a pool of engines in this process, in child processes, or behind Ray."""
    if transport == "alone":
        return TimedPool({}, alone=maker())
    if transport == "children":
        names = [f"card {number}" for number in range(num_engines)]
        return TimedPool(
            {each: partial(RemoteEngine, each, partial(start_engine, maker, {})) for each in names}
        )
    start = partial(start_driver, address, maker, make_environ(Path(token_file)))
    return TimedPool({}, [Machines(start)])
