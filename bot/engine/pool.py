"""Uses several engines, each with a device of its own, as if they were one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from bot.engine.api import (
    EngineApi,
    EngineState,
    EngineStatus,
    Estimator,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelStatus,
    Progress,
    ProgressCallback,
    Swapping,
)
from bot.engine.fleet import offers
from bot.engine.fleet.model_tests import ModelTests
from bot.engine.fleet.routing import choose_seat
from bot.engine.fleet.seats import Seat, Task
from bot.engine.fleet.sources import SeatSource
from bot.engine.fleet.watchdog import Watchdog
from bot.errors import EngineGone, EngineLost, GenerationCancelled, ModelOut

if TYPE_CHECKING:
    from bot.domain.recipes import Recipe
    from bot.texts.reasons import Reason

logger = logging.getLogger(__name__)

MakeEngine = Callable[[], EngineApi]


class EnginePool:
    """Draws with all its engines. Every method may be called from any thread.

    makers: for each name of an engine, the function that makes it, and makes a new one if it is
    lost. alone: an engine that cannot be replaced while the program runs. on_change: called when an
    engine is ready, is lost or has room again.
    """

    def __init__(
        self,
        makers: Mapping[str, MakeEngine],
        sources: Sequence[SeatSource] = (),
        *,
        alone: EngineApi | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._seats = {name: Seat(name, make(), now, make) for name, make in makers.items()}
        if alone is not None:
            self._seats["engine"] = Seat("engine", alone, now)
        self._sources = sources
        self._estimators: dict[str | None, Estimator] = {}
        self._ready: Future[ModelInfo] = Future()
        self._lost: EngineLost | None = None
        self._is_closed = False
        self._tests = ModelTests(self._tell_change)
        self.on_change: Callable[[], object] = lambda: None

    @classmethod
    def of(cls, engine: EngineApi | EnginePool) -> EnginePool:
        """Return a pool with only this engine. If it is a pool already, return it unchanged."""
        return engine if isinstance(engine, EnginePool) else cls({}, alone=engine)

    @property
    def lost(self) -> EngineLost | None:
        """Return why no engine is left and no other can be started; None if all is well."""
        return self._lost

    @property
    def num_idle(self) -> int:
        """Return how many engines have nothing to draw."""
        with self._lock:
            return sum(
                seat.state is EngineState.READY and not seat.tasks for seat in self._seats.values()
            )

    @property
    def ready_models(self) -> frozenset[str]:
        """Return the ids of the models that can draw now."""
        with self._lock:
            found = offers.list_models(self._list_ready())
        return frozenset(each.id for each in found if not each.note)

    def start(self) -> Future[ModelInfo]:
        """Start all engines. The future's result is the default model, once it is loaded.

        It fails with ConfigError if no engine can load its model and no other machine can join.
        """
        self._ready.set_running_or_notify_cancel()
        for seat in list(self._seats.values()):
            self._start(seat)
        for source in self._sources:
            source.start(self)
        return self._ready

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        """Draw a request on the engine that will finish it first.

        Fails as ``EngineApi.submit`` does. Fails with EngineGone if its engine is lost and another
        engine can draw it.
        """
        recipe = request.recipe
        task = Task(request.request_id, recipe, self.cost(recipe))
        task.future.set_running_or_notify_cancel()
        with self._lock:
            seat = None if self._is_closed else self._pick(recipe) or self._pick_least_busy(recipe)
            if seat is not None:
                if not seat.tasks:
                    seat.watchdog.begin()
                seat.tasks[request.request_id] = task
        if seat is None:
            fault = GenerationCancelled("closed") if self._is_closed else EngineGone("none is left")
            task.future.set_exception(fault)
            return task.future
        engine = seat.engine
        future = engine.submit(request, partial(self._hear, seat, task, on_progress))
        future.add_done_callback(partial(self._settle, seat, engine, task))
        return task.future

    def cancel(self, request_id: int) -> None:
        """End a request's future with GenerationCancelled within a step. Idempotent."""
        with self._lock:
            engines = [seat.engine for seat in self._seats.values() if request_id in seat.tasks]
        for engine in engines:
            engine.cancel(request_id)

    def find_engine(self, recipe: Recipe, ahead_cost: float = 0.0) -> str | None:
        """Return the engine on which a request should start now; None if it should wait.

        It should wait if no engine has room, or if an engine that is still busy will finish it
        sooner. ahead_cost: the cost of the requests that such an engine will draw before this one.
        """
        with self._lock:
            seat = self._pick(recipe, ahead_cost)
            return None if seat is None else seat.name

    def delays(self, name: str, recipe: Recipe, other: Recipe) -> bool:
        """Return whether ``other``, which waits, starts later if the engine takes ``recipe`` first.

        It does not if the engine cannot draw it, or if their models take turns on the device.
        """
        with self._lock:
            seat = self._seats.get(name)
            if seat is None or not seat.serves(other):
                return False
            return seat.swapping is None or recipe.model == other.model

    def find_refusal(self, recipe: Recipe) -> Reason | None:
        """Return why a request must not wait for its model; None if it may wait."""
        with self._lock:
            seats = list(self._seats.values())
            return offers.find_refusal(seats, recipe, may_grow=bool(self._sources))

    def find_swapping(self, recipe: Recipe) -> Swapping | None:
        """Return how the engine that draws a recipe takes turns with its models, if it does."""
        with self._lock:
            found = [each.swapping for each in self._list_serving(recipe)]
        swapping = [each for each in found if each is not None]
        if len(swapping) < len(found):
            return None
        return min(swapping, key=lambda each: each.loaded != recipe.model, default=None)

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work, in units of one default request of the default model."""
        estimator = self._estimators.get(recipe.model) or self._estimators.get(None)
        if estimator is not None:
            return estimator.cost(recipe)
        return next((seat.engine.cost(recipe) for seat in list(self._seats.values())), 1.0)

    def forget_prompts(self) -> None:
        """Forget, within a step, every prompt that is not being drawn."""
        with self._lock:
            engines = [seat.engine for seat in self._seats.values()]
        for engine in engines:
            engine.forget_prompts()

    def list_models(self) -> tuple[ModelStatus, ...]:
        """List all models, also those that cannot draw now, each once, the default one first."""
        with self._lock:
            return offers.list_models(list(self._seats.values()))

    def list_engines(self) -> list[EngineStatus]:
        """Describe every engine for the owner."""
        with self._lock:
            return [seat.describe() for seat in self._seats.values()]

    def list_notes(self) -> list[str]:
        """Return what the owner should know about other machines and models that failed."""
        with self._lock:
            faults = offers.list_faults(list(self._seats.values()))
        return [source.note for source in self._sources if source.note] + faults

    def add(self, name: str, make: MakeEngine) -> None:
        """Add an engine and start it."""
        with self._lock:
            seat = self._seats[name] = Seat(name, make(), self._now, make)
        self._start(seat)

    def drop(self, name: str, reason: str) -> None:
        """Remove an engine, because its machine left. Its requests fail with EngineGone."""
        with self._lock:
            seat = self._seats.pop(name, None)
        if seat is not None:
            seat.state = EngineState.LOST
            logger.warning("the engine %s has left: %s", name, reason)
            seat.engine.abandon(reason)
            self.on_change()

    def tend(self) -> None:
        """Start lost engines again, and give up those that hang. Call this once a second."""
        for source in self._sources:
            source.tend()
        with self._lock:
            seats = list(self._seats.values())
        for seat in seats:
            if seat.state in {EngineState.LOST, EngineState.REFUSED}:
                self._start_again(seat)
                continue
            if seat.state is not EngineState.LOADING and seat.engine.fault is not None:
                self._lose(seat, str(seat.engine.fault))
                continue
            if seat.engine.is_draining:
                seat.state = EngineState.DRAINING
            if seat.engine.is_loading:
                seat.watchdog.begin()  # no steps are taken meanwhile
            if seat.tasks and seat.watchdog.is_hung:
                self._give_up(seat)
                continue
            self._tests.start_due(seat)

    def close(self, deadline_seconds: float) -> bool:
        """Cancel all requests and end all engines; False if one is still busy at the deadline."""
        self._is_closed = True
        until = time.monotonic() + deadline_seconds
        ends = [seat.engine.close for seat in list(self._seats.values())]
        ends += [source.close for source in self._sources]
        closed: list[bool] = []
        threads = [
            threading.Thread(target=lambda end=end: closed.append(end(deadline_seconds)))
            for end in ends
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()) + 1.0)
        return len(closed) == len(ends) and all(closed)

    def _tell_change(self) -> None:
        self.on_change()

    def _list_ready(self) -> list[Seat]:
        return [seat for seat in self._seats.values() if seat.state is EngineState.READY]

    def _list_serving(self, recipe: Recipe) -> list[Seat]:
        return [seat for seat in self._seats.values() if seat.serves(recipe)]

    def _pick(self, recipe: Recipe, ahead_cost: float = 0.0) -> Seat | None:
        return choose_seat(self._list_serving(recipe), recipe, self.cost(recipe), ahead_cost)

    def _pick_least_busy(self, recipe: Recipe) -> Seat | None:
        return min(self._list_serving(recipe), key=lambda seat: seat.outstanding, default=None)

    def _start_again(self, seat: Seat) -> None:
        if seat.make is not None and self._now() >= seat.start_at and not self._is_closed:
            seat.engine.abandon("it is started again")  # the old process may still run
            seat.engine = seat.make()
            seat.watchdog = Watchdog(self._now)  # the new engine's first step may tune or compile
            self._start(seat)

    def _start(self, seat: Seat) -> None:
        seat.state, seat.info = EngineState.LOADING, None
        engine = seat.engine
        engine.on_change = partial(self._refresh, seat, engine)
        engine.start().add_done_callback(partial(self._note_loaded, seat, engine))

    def _note_loaded(self, seat: Seat, engine: EngineApi, loading: Future[ModelInfo]) -> None:
        error = loading.exception()
        if seat.engine is not engine or self._is_closed:
            return
        if error is None:
            info = loading.result()
            with self._lock:
                seat.info, seat.state, seat.note = info, EngineState.READY, ""
                self._note_models(seat)
                if engine.estimator is not None and info.is_default:
                    self._estimators.setdefault(None, engine.estimator)
            if info.is_default:
                with suppress(InvalidStateError):  # another engine was ready first
                    self._ready.set_result(info)
        else:
            self._refuse(seat, error)
        self.on_change()

    def _refresh(self, seat: Seat, engine: EngineApi) -> None:
        """Note that the models of an engine have changed."""
        with self._lock:
            if seat.engine is not engine or seat.info is None:
                return
            self._note_models(seat)
        self.on_change()

    def _note_models(self, seat: Seat) -> None:
        estimator, models = seat.engine.estimator, seat.engine.models
        seat.take_over(models, estimator.swapping if estimator is not None else None)
        if estimator is not None:
            self._estimators |= {each.id: estimator for each in models if each.info is not None}

    def _refuse(self, seat: Seat, error: BaseException) -> None:
        """Note that an engine could not load its model. If no engine can, ``start`` fails."""
        with self._lock:
            if str(error) != seat.note:
                logger.error("the engine %s cannot start: %s", seat.name, error)
            seat.fall(str(error), EngineState.REFUSED)
            others = [each for each in self._seats.values() if each is not seat]
            hopeless = all(each.state is EngineState.REFUSED for each in others)
            hopeless = hopeless and not self._sources
        if hopeless:
            with suppress(InvalidStateError):  # ``start`` may have succeeded already
                self._ready.set_exception(error)

    def _hear(
        self, seat: Seat, task: Task, on_progress: ProgressCallback | None, progress: Progress
    ) -> None:
        seat.watchdog.note_step()
        task.done = progress.step / max(progress.num_steps, 1)
        if on_progress is not None:
            on_progress(progress)

    def _settle(
        self, seat: Seat, engine: EngineApi, task: Task, done: Future[GenerationOutput]
    ) -> None:
        error = done.exception()
        with self._lock:
            seat.tasks.pop(task.request_id, None)
            if error is None:
                seat.note_drawn(task, done.result())
            if len(self.list_models()) > 1:  # a bot with a single model goes on as it is
                self._tests.judge(seat, task, error)
        if isinstance(error, ModelOut):
            error = EngineGone(str(error))
        if isinstance(error, EngineLost):
            if seat.engine is engine:
                self._lose(seat, str(error))
            if seat.make is not None:
                error = EngineGone(str(error))
        if error is None:
            task.future.set_result(done.result())
        else:
            task.future.set_exception(error)
        self.on_change()

    def _lose(self, seat: Seat, reason: str) -> None:
        """Note that an engine is lost."""
        with self._lock:
            if seat.state is EngineState.LOST or self._is_closed:
                return
            if seat.make is None:
                self._lost = EngineLost(reason)
            else:
                logger.error("the engine %s is lost and starts again: %s", seat.name, reason)
            seat.fall(reason)
        self.on_change()

    def _give_up(self, seat: Seat) -> None:
        """Treat an engine that hangs as lost."""
        seconds = seat.watchdog.silent_seconds
        reason = f"The device has not finished a step in {seconds:.0f} s."
        requests = ", ".join(map(str, seat.tasks))
        logger.error("%s: no step for %.0f s; jobs %s hang", seat.name, seconds, requests)
        if seat.make is None:
            self._lost = EngineLost(reason)
            self.on_change()
        else:
            seat.engine.abandon(reason)
