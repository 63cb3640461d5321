"""Engines that do nothing by themselves: a test says when they load, step, finish and break."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from bot.domain.recipes import Recipe
from bot.engine.api import (
    EngineState,
    Estimator,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelStatus,
    Progress,
    ProgressCallback,
    Swapping,
)
from bot.engine.pool import EnginePool
from bot.errors import EngineError, EngineLost, GenerationCancelled, GenerationFailed
from tests.engine.fleet.asks import make_request
from tests.fakes.engine import INFO


@dataclass(frozen=True, slots=True)
class PuppetEstimator:
    """At most ``room`` requests at once, or a single one of larger pictures."""

    room: int
    swapping: Swapping | None = None

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        sizes = [1 if max(each.size) < 128 else self.room for each in (*others, recipe)]
        return len(sizes) == 1 or sum(sizes) <= self.room

    def cost(self, recipe: Recipe) -> float:
        return (recipe.num_inference_steps or 0) / INFO.num_inference_steps


class Puppet:
    """One engine. drawing: the requests that it has, by their id."""

    def __init__(self, room: int = 1, model: str = INFO.id) -> None:
        self.info = replace(INFO, id=model)
        self.estimator: Estimator | None = PuppetEstimator(room)
        self.fault: EngineError | None = None
        self.is_draining = False
        self.is_loading = False
        self.on_change: Callable[[], object] = lambda: None
        self.note = ""  # why the default model is out
        self.others: tuple[ModelStatus, ...] = ()  # the models beside the default one
        self.loading: Future[ModelInfo] = Future()
        self.drawing: dict[
            int, tuple[GenerationRequest, ProgressCallback | None, Future[GenerationOutput]]
        ] = {}
        self.num_forgotten = 0
        self.closed_after: list[float] = []
        self.abandoned: list[str] = []

    @property
    def models(self) -> tuple[ModelStatus, ...]:
        return (ModelStatus(self.info.id, self.info, self.note, bool(self.note)), *self.others)

    def start(self) -> Future[ModelInfo]:
        return self.loading

    def load(self) -> None:
        self.loading.set_result(self.info)

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        future: Future[GenerationOutput] = Future()
        self.drawing[request.request_id] = (request, on_progress, future)
        return future

    def step(self, request_id: int, step: int, num_steps: int = 4) -> None:
        _, on_progress, _ = self.drawing[request_id]
        assert on_progress is not None
        on_progress(Progress(step, num_steps))

    def finish(self, request_id: int, seconds: float = 1.0) -> None:
        request, _, future = self.drawing.pop(request_id)
        images = np.zeros((3, 64, 64, 3), np.uint8)
        future.set_result(GenerationOutput(images, (None,) * 3, seconds, engine=self.info.engine))
        assert request.request_id == request_id

    def fail(self, request_id: int) -> None:
        _, _, future = self.drawing.pop(request_id)
        future.set_exception(GenerationFailed("not finite"))

    def lose(self, reason: str = "the card fell off") -> None:
        self.fault = EngineLost(reason)
        for request_id in list(self.drawing):
            _, _, future = self.drawing.pop(request_id)
            future.set_exception(EngineLost(reason))

    def cancel(self, request_id: int) -> None:
        _, _, future = self.drawing.pop(request_id)
        future.set_exception(GenerationCancelled("cancelled"))

    def has_room(self, recipe: Recipe) -> bool:
        assert self.estimator is not None
        others = [request.recipe for request, _, _ in self.drawing.values()]
        return self.estimator.fits(others, recipe)

    def cost(self, recipe: Recipe) -> float:
        assert self.estimator is not None
        return self.estimator.cost(recipe)

    def forget_prompts(self) -> None:
        self.num_forgotten += 1

    def close(self, deadline_seconds: float) -> bool:
        self.closed_after.append(deadline_seconds)
        return True

    def abandon(self, reason: str) -> None:
        self.abandoned.append(reason)
        self.lose(reason)


class Rig:
    """A pool of puppets whose clock the test moves. made: every puppet of each name."""

    def __init__(self, *names: str, room: int = 1) -> None:
        self.now = 0.0
        self.room = room
        self.made: dict[str, list[Puppet]] = {name: [] for name in names}
        self.pool = EnginePool(
            {name: lambda name=name: self.make(name) for name in names}, now=self.clock
        )
        self.num_changes = 0
        self.pool.on_change = self.count

    def clock(self) -> float:
        return self.now

    def count(self) -> None:
        self.num_changes += 1

    def make(self, name: str) -> Puppet:
        self.made.setdefault(name, []).append(Puppet(self.room))
        return self.made[name][-1]

    def __getitem__(self, name: str) -> Puppet:
        return self.made[name][-1]

    def start(self) -> Future[ModelInfo]:
        ready = self.pool.start()
        for engines in self.made.values():
            engines[-1].load()
        return ready

    def submit(self, number: int, num_steps: int = 4, side: int = 64) -> Future[GenerationOutput]:
        return self.pool.submit(make_request(number, num_steps, side), lambda progress: None)

    def teach(self, name: str, pace: float) -> None:
        """Let an engine draw alone once, at this pace."""
        others = [seat for seat in self.pool._seats.values() if seat.name != name]
        for seat in others:
            seat.state = EngineState.DRAINING
        number = 1000 + len(self.made[name])
        self.submit(number)
        self[name].finish(number, 1.0 / pace)
        for seat in others:
            seat.state = EngineState.READY

    def tend(self, at: float) -> None:
        self.now = at
        self.pool.tend()

    def states(self) -> dict[str, EngineState]:
        return {each.name: each.state for each in self.pool.list_engines()}
