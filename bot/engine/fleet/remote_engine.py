"""Lets the bot use an engine in another process like one in its own process."""

from __future__ import annotations

import itertools
import logging
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bot.domain.recipes import Recipe
from bot.engine.api import (
    NUM_IMAGES,
    Estimator,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelStatus,
    Progress,
    ProgressCallback,
    Swapping,
)
from bot.engine.fleet.channels import Channel
from bot.engine.fleet.health import make_default_recipe
from bot.engine.fleet.messages import (
    Cancel,
    Changed,
    Close,
    Draining,
    Drawn,
    Failed,
    Forget,
    Loaded,
    Logged,
    Order,
    Stepped,
    Submit,
    pack,
    unpack,
)
from bot.errors import EngineLost, GenerationCancelled, TriptychError

logger = logging.getLogger(__name__)

_SENSELESS = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    OSError,
    InvalidStateError,
)
"""The errors that reading a message raises if another version or program has sent it."""


@dataclass(slots=True, eq=False)
class _Task:
    request: GenerationRequest
    on_progress: ProgressCallback | None
    future: Future[GenerationOutput] = field(default_factory=Future)


class RemoteEngine:
    """Sends requests over a channel. If the channel ends, all of them fail with EngineLost.

    open_channel: starts the other side; ``start`` calls it once.
    Callbacks, also those of futures, run in the channel's thread.
    """

    def __init__(self, name: str, open_channel: Callable[[], Channel]) -> None:
        self._name = name
        self._open_channel = open_channel
        self._channel: Channel | None = None
        self._lock = threading.Lock()
        # new for each attempt, so that late messages are ignored
        self._tickets = itertools.count(1)
        self._tasks: dict[int, _Task] = {}
        self._estimator: Estimator | None = None
        self._models: tuple[ModelStatus, ...] = ()
        self.on_change: Callable[[], object] = lambda: None
        self._loaded: Future[ModelInfo] = Future()
        self._fault: EngineLost | None = None
        self.is_draining = False
        self.is_loading = False

    @property
    def models(self) -> tuple[ModelStatus, ...]:
        """Return all models, the default one first; empty until the first one is loaded."""
        return self._models

    @property
    def estimator(self) -> Estimator | None:
        """Return the newest estimator of room and costs; None until the model is loaded."""
        return self._estimator

    @property
    def fault(self) -> EngineLost | None:
        """Return why nothing can be drawn any more; None if all is well."""
        return self._fault

    def start(self) -> Future[ModelInfo]:
        """Start the other side. Fails with ConfigError or EngineLost."""
        self._loaded.set_running_or_notify_cancel()
        try:
            self._channel = self._open_channel()
        except OSError as error:
            self._lose(f"it cannot be started: {error}")
        else:
            self._channel.open(self._receive, self._lose)
        return self._loaded

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        """Send a request. Fails as ``Engine.submit`` does."""
        task = _Task(request, on_progress)
        task.future.set_running_or_notify_cancel()
        ticket = next(self._tickets)
        with self._lock:
            fault = self._fault
            if fault is None:
                self._tasks[ticket] = task
        if fault is not None:
            task.future.set_exception(EngineLost(*fault.args))
        else:
            self._send(Submit(replace(request, request_id=ticket)))
        return task.future

    def cancel(self, request_id: int) -> None:
        """End a request with GenerationCancelled. The other side may finish its step first."""
        with self._lock:
            tickets = [
                ticket
                for ticket, task in self._tasks.items()
                if task.request.request_id == request_id
            ]
        for ticket in tickets:
            self._send(Cancel(ticket))

    def has_room(self, recipe: Recipe) -> bool:
        """Return whether a request for this recipe would be drawn from the next step on."""
        with self._lock:
            others = [task.request.recipe for task in self._tasks.values()]
        if self._estimator is None:
            return not others
        return self._estimator.fits(others, recipe)

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work in default requests of the default model; 1.0 until it is loaded."""
        return 1.0 if self._estimator is None else self._estimator.cost(recipe)

    def forget_prompts(self) -> None:
        """Forget, within a step, every prompt that is not being drawn."""
        self._send(Forget())

    def close(self, deadline_seconds: float) -> bool:
        """Cancel everything and end the other side; it is killed at the deadline."""
        self._end(GenerationCancelled("the engine is closed"), EngineLost("the engine is closed"))
        if self._channel is None:
            return True
        self._send(Close(deadline_seconds))
        ended = self._channel.wait(deadline_seconds)
        self._channel.close()
        return ended

    def abandon(self, reason: str) -> None:
        """Kill the other side, because it hangs or sends nonsense."""
        if self._channel is not None:
            self._channel.close()
        self._lose(reason)

    def _send(self, order: Order) -> None:
        if self._channel is not None:
            self._channel.send(pack(order))

    def _receive(self, data: bytes) -> None:
        if self._fault is not None:
            return
        try:
            self._hear(unpack(data))
        except _SENSELESS as error:
            logger.error("%s: %s", self._name, error)
            self.abandon("it sends messages that make no sense")

    def _hear(self, report: object) -> None:
        match report:
            case Stepped():
                self._hear_step(report)
            case Drawn(ticket, GenerationOutput() as output) if _is_whole(output):
                if (task := self._take(ticket)) is not None:
                    task.future.set_result(output)
            case Failed(int(ticket), TriptychError() as error):
                if (task := self._take(ticket)) is not None:
                    task.future.set_exception(error)
            case _:
                self._hear_of_engine(report)

    def _hear_of_engine(self, report: object) -> None:
        match report:
            case Failed(None, TriptychError() as error):
                self._end(error, EngineLost(str(error)))
            case Loaded(ModelInfo() as info, estimator, models):
                self._take_over(estimator, models)
                self._loaded.set_result(info)
            case Changed(estimator, models, is_loading) if self._loaded.done():
                self._take_over(estimator, models)
                self.is_loading = bool(is_loading)
                self.on_change()
            case Draining():
                self.is_draining = True
            case Logged(name, level, text):
                logging.getLogger(name).log(level, "%s: %s", self._name, text)
            case _:
                raise ValueError(f"{type(report).__name__} is no report")

    def _take_over(self, estimator: Estimator | None, models: tuple[ModelStatus, ...]) -> None:
        """Note what the engine can do, if it makes sense. Raises one of ``_SENSELESS``."""
        infos = [each.info for each in models if each.info is not None and not each.note]
        if not all(isinstance(info, ModelInfo) for info in infos):
            raise ValueError("it sends models that are none")
        for info in infos:
            if estimator is None:
                raise ValueError("it sends no estimator")
            _try_out(estimator, info)
        self._estimator, self._models = estimator, models

    def _hear_step(self, report: Stepped) -> None:
        if report.num_steps < 1:
            raise ValueError("a request has no steps")
        with self._lock:
            task = self._tasks.get(report.request_id)
        if task is not None and task.on_progress is not None:
            from bot.engine.fleet.preview_files import unpack_preview  # noqa: PLC0415 imports numpy

            preview = unpack_preview(report)
            task.on_progress(Progress(report.step, report.num_steps, preview))

    def _take(self, ticket: int) -> _Task | None:
        with self._lock:
            return self._tasks.pop(ticket, None)

    def _lose(self, reason: str) -> None:
        fault = EngineLost(f"{self._name}: {reason}")
        self._end(fault, fault)

    def _end(self, error: TriptychError, fault: EngineLost) -> None:
        """Fail all requests with ``error``, and all later ones with ``fault``."""
        with self._lock:
            if self._fault is not None:
                return
            self._fault = fault
            tasks, self._tasks = self._tasks, {}
        for task in tasks.values():
            task.future.set_exception(type(error)(*error.args))
        with suppress(InvalidStateError):  # the model may have been loaded a moment ago
            self._loaded.set_exception(error)


def _try_out(estimator: Estimator, info: ModelInfo) -> None:
    """Raise one of ``_SENSELESS`` if the estimator cannot estimate a model's default request."""
    recipe = make_default_recipe(info, NUM_IMAGES)
    if not (math.isfinite(estimator.cost(recipe)) and estimator.fits((), recipe)):
        raise ValueError("it sends an estimator that does not work")
    estimator.fits((recipe,), recipe)
    if not isinstance(estimator.swapping, Swapping | None):
        raise ValueError("it sends an estimator that does not work")


def _is_whole(output: GenerationOutput) -> bool:
    """Return whether an output has everything that the pool reads."""
    return getattr(output.images, "ndim", 0) == 4 and math.isfinite(output.gpu_seconds)
