"""A day of two models on one card, in virtual time: the real queue, pool and swap policy, with an
engine that only counts seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np

from bot.domain.jobs import Job
from bot.domain.recipes import Recipe
from bot.engine.api import (
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelStatus,
    ProgressCallback,
    Swapping,
)
from bot.engine.pool import EnginePool
from bot.engine.sharing.swap_policy import SwapPolicy
from bot.jobs.queue import turns
from bot.jobs.queue.fair_queue import JobQueue
from bot.jobs.queue.usage import RecentUse
from bot.texts.reasons import Reason
from tests.engine.fleet.asks import make_recipe
from tests.fakes.engine import INFO
from tests.jobs.queue.test_fair_queue import NOW, make_job

STEP_SECONDS = 0.25
ROOM = 4
"""How many requests of a model fit into the engine; two of them share each step."""

_IMAGES = np.zeros((1, 8, 8, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt. at: when it is asked, in seconds. seconds: how long the card draws it."""

    at: float
    user_id: int
    model: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SimEstimator:
    swapping: Swapping
    room: int = ROOM

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        return sum(other.model == recipe.model for other in others) < self.room

    def cost(self, recipe: Recipe) -> float:
        return (recipe.num_inference_steps or 0) / INFO.num_inference_steps


@dataclass(slots=True)
class _Request:
    request: GenerationRequest
    left: float
    future: Future[GenerationOutput] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Swap:
    """A swap. drawn: the seconds of drawing since the swap before. is_contended: the model that
    left the card had requests too.
    """

    at: float
    drawn: float
    is_contended: bool


class SimEngine:
    """Draws for STEP_SECONDS at each call of ``step``, unless it swaps. speed: of the card."""

    def __init__(self, models: Sequence[str], swap_seconds: float, speed: float) -> None:
        self.now = NOW
        self.swaps: list[Swap] = []
        self.policy = SwapPolicy(lambda: self.now)
        self.policy.note_swapped(models[0], swap_seconds)
        self.fault = None
        self.is_draining = False
        self.is_loading = False
        self.on_change: Callable[[], object] = lambda: None
        self._infos = [replace(INFO, id=name, is_default=name == models[0]) for name in models]
        self._swap_seconds = swap_seconds
        self._speed = speed
        self._requests: list[_Request] = []
        self._incoming: str | None = None  # the model that is being put on the card
        self._swapped_at = 0.0
        self._drawn = 0.0

    @property
    def models(self) -> tuple[ModelStatus, ...]:
        return tuple(ModelStatus(info.id, info) for info in self._infos)

    @property
    def estimator(self) -> SimEstimator:
        policy = self.policy
        return SimEstimator(Swapping(policy.loaded, policy.swap_seconds, policy.turn_seconds))

    def start(self) -> Future[ModelInfo]:
        loading: Future[ModelInfo] = Future()
        loading.set_result(self._infos[0])
        return loading

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        seconds = self.cost(request.recipe) / self._speed
        self._requests.append(_Request(request, seconds))
        return self._requests[-1].future

    def has_room(self, recipe: Recipe) -> bool:
        return self.estimator.fits([each.request.recipe for each in self._requests], recipe)

    def cost(self, recipe: Recipe) -> float:
        return self.estimator.cost(recipe)

    def step(self) -> None:
        self.now += STEP_SECONDS
        if self._incoming is not None:
            if self.now < self._swapped_at:
                return
            self.policy.note_swapped(self._incoming, self._swap_seconds)
            self._incoming, self._drawn = None, 0.0
            self.on_change()
        loaded = self.policy.loaded
        wanted = list(dict.fromkeys(str(each.request.model) for each in self._requests))
        chosen = self.policy.choose(wanted)
        if chosen != loaded:
            self.swaps.append(Swap(self.now - NOW, self._drawn, loaded in wanted))
            self._incoming, self._swapped_at = chosen, self.now + self._swap_seconds
            return
        self._draw([each for each in self._requests if each.request.model == loaded][:2])

    def _draw(self, together: list[_Request]) -> None:
        if not together:
            return
        self.policy.note_drawn(STEP_SECONDS)
        self._drawn += STEP_SECONDS
        for each in together:
            each.left -= STEP_SECONDS / len(together)
            if each.left <= 1e-9:
                self._requests.remove(each)
                each.future.set_result(GenerationOutput(_IMAGES, (None,), 1.0))

    def cancel(self, request_id: int) -> None:
        raise NotImplementedError

    def forget_prompts(self) -> None:
        raise NotImplementedError

    def abandon(self, reason: str) -> None:
        raise NotImplementedError

    def close(self, deadline_seconds: float) -> bool:
        raise NotImplementedError


@dataclass
class _Line:
    """What ``Turns`` sees of the waitlist."""

    queue: JobQueue
    unfit: dict[int, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """How long each prompt waited until its pictures were done, by its number, and all swaps.

    order: the prompts in the order in which the queue sent them to the engine.
    """

    waits: dict[int, float]
    order: list[int]
    swaps: list[Swap]
    turn_seconds: float


class _InOrder:
    """Sends jobs in a given order, in place of ``Turns``."""

    def __init__(self, line: _Line, pool: EnginePool, order: Sequence[int]) -> None:
        self._line = line
        self._pool = pool
        self._order = iter(order)
        self._next = next(self._order, None)

    def choose(self) -> Job | None:
        if self._next is None or self._next not in self._line.queue:
            return None
        job = self._line.queue.get(self._next)
        if self._pool.find_engine(job.recipe) is None:
            return None
        self._next = next(self._order, None)
        return job


def simulate(
    prompts: dict[int, Asked],
    swap_seconds: float,
    speed: float = 1.0,
    order: Sequence[int] | None = None,
    limit: float = 40_000.0,
) -> Result:
    """Ask and draw all prompts. speed: how fast the card draws, 1 for the normal speed.

    order: draw in this order, instead of that of the fair queue.
    """
    models = sorted({each.model for each in prompts.values()})
    engine, use = SimEngine(models, swap_seconds, speed), RecentUse()
    pool = EnginePool({}, alone=engine, now=lambda: engine.now)
    pool.start()
    line = _Line(JobQueue(use))
    fair = turns.Turns(line, pool, lambda: engine.now)  # pyright: ignore[reportArgumentType]
    choosing = fair if order is None else _InOrder(line, pool, order)
    waits: dict[int, float] = {}
    sent: list[int] = []
    coming = sorted(prompts, key=lambda number: (prompts[number].at, number))
    has_changed = True

    def end(job: Job) -> None:
        nonlocal has_changed
        waits[job.job_id] = engine.now - NOW - prompts[job.job_id].at
        has_changed = True

    while len(waits) < len(prompts):
        assert engine.now - NOW < limit, "some prompts are never drawn"
        while coming and prompts[coming[0]].at <= engine.now - NOW:
            line.queue.add([_make_job(coming[0], prompts[coming.pop(0)])])
            has_changed = True
        while has_changed and (job := choosing.choose()) is not None:
            line.queue.remove(job.job_id)
            sent.append(job.job_id)
            use.charge(job, engine.now)
            future = pool.submit(GenerationRequest(job.job_id, job.recipe))
            future.add_done_callback(lambda _, job=job: end(job))
        has_changed = False
        engine.step()
    return Result(waits, sent, engine.swaps, engine.policy.turn_seconds)


def _make_job(number: int, asked: Asked) -> Job:
    recipe = make_recipe(round(asked.seconds * INFO.num_inference_steps), 64, asked.model)
    return make_job(number, asked.user_id, 1, asked.seconds, recipe=recipe)
