"""The engine: one thread that owns the model and does everything with torch."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Literal

from bot.engine.api import (
    EngineOptions,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelSource,
    Progress,
    ProgressCallback,
)
from bot.engine.boundary import attempt
from bot.engine.capacity.estimator import ModelEstimator
from bot.engine.models.checks import hush_transformers
from bot.engine.process import importing_libraries
from bot.errors import (
    ConfigError,
    EngineError,
    EngineLost,
    GenerationCancelled,
    GenerationRejected,
    TriptychError,
)
from bot.texts.codes import Code
from bot.texts.reasons import because

if TYPE_CHECKING:
    from bot.domain.recipes import Recipe
    from bot.engine.batch import Batch, RequestResult
    from bot.engine.capacity.capacity import Capacity
    from bot.engine.capacity.cost import CostModel
    from bot.engine.steps.groups import Drawing


@dataclass(slots=True, eq=False)
class _Job:
    request: GenerationRequest
    on_progress: ProgressCallback | None
    future: Future[GenerationOutput] = field(default_factory=Future)
    cancelled: bool = False
    taken: bool = False

    def fail(self, error: TriptychError) -> None:
        """Fail a job that the engine thread never started, unless it was cancelled."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)

    def report(self, progress: Progress) -> None:
        """Call the job's progress callback. If this fails, log it once and never call it again."""
        if self.on_progress is None:
            return
        work = partial(self.on_progress, progress)
        label = f"progress of request {self.request.request_id}"
        if attempt(label, work, EngineError) is not None:
            self.on_progress = None


class Engine:
    """Draws requests together, step by step. Requests that do not fit wait in the order they came.

    Every method may be called from any thread. Futures are resolved in the engine thread, or in
    the caller's thread for requests that the engine never took.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        cache_dir: Path | None = None,
        rows: int | None = None,
        deterministic: bool = False,
        compile_unet: bool = False,
        unit_flop: float | None = None,
        upscaler: Path | None = None,
    ) -> None:
        self._source = source
        self._options = EngineOptions(
            cache_dir, rows, deterministic, compile_unet, unit_flop, upscaler
        )
        self._inbox: SimpleQueue[_Job | Literal["forget"] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._jobs: dict[int, _Job] = {}
        self._ended: EngineError | None = None
        self._cost_model: CostModel | None = None
        self._capacity: Capacity | None = None
        self._loaded: Future[ModelInfo] = Future()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        # Only the engine thread uses the next three attributes.
        self._waiting: deque[_Job] = deque()
        self._drawn: dict[Drawing, _Job] = {}
        self._must_forget = False

    @property
    def estimator(self) -> ModelEstimator | None:
        """Return the present estimator of room and costs; None until the model is loaded."""
        if self._cost_model is None or self._capacity is None:
            return None
        return ModelEstimator(self._cost_model, copy(self._capacity))

    @property
    def fault(self) -> EngineError | None:
        """Return why nothing can be drawn any more; None if all is well."""
        return self._ended

    @property
    def is_draining(self) -> bool:
        """Return False, because this engine draws until the program ends."""
        return False

    def start(self) -> Future[ModelInfo]:
        """Start the engine thread and load the model. The future fails with ConfigError.

        Raises RuntimeError when called twice.
        """
        self._loaded.set_running_or_notify_cancel()
        self._thread.start()
        return self._loaded

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        """Queue a request, before or after the model is loaded; its ``request_id`` must be new.

        The future fails with GenerationCancelled (also once the engine is closed),
        GenerationRejected, GenerationFailed or EngineLost.
        """
        job = _Job(request, on_progress)
        with self._lock:
            refusal = self._ended
            if refusal is None and request.request_id in self._jobs:
                refusal = GenerationRejected(
                    because(Code.DRAWN_ALREADY, request_id=request.request_id)
                )
            if refusal is None:
                self._jobs[request.request_id] = job
                self._inbox.put(job)
                return job.future
        job.fail(_copy(refusal))
        return job.future

    def cancel(self, request_id: int) -> None:
        """End a request with GenerationCancelled: at once if it waits, otherwise within a step."""
        with self._lock:
            job = self._jobs.get(request_id)
            if job is None:
                return
            job.cancelled = True
            if job.taken:
                return
            del self._jobs[request_id]
        job.fail(GenerationCancelled(f"request {request_id} was cancelled"))

    def has_room(self, recipe: Recipe) -> bool:
        """Return whether a request for this recipe would be drawn from the next step on."""
        with self._lock:
            others = [job.request.recipe for job in self._jobs.values()]
        if self._capacity is None:
            return not others
        return self._capacity.fits(others, recipe)

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work in default requests of the default model; 1.0 before loading."""
        return 1.0 if self._cost_model is None else self._cost_model.estimate(recipe)

    def forget_prompts(self) -> None:
        """Forget, within a step, every prompt that is not being drawn."""
        self._inbox.put("forget")

    def abandon(self, reason: str) -> None:
        """Ask the thread to stop, and do not wait for it."""
        self.close(0.0)

    def close(self, deadline_seconds: float) -> bool:
        """Cancel everything and stop the thread; False if it is still busy at the deadline.

        A model that is being loaded cannot be interrupted; the thread ends after it.
        """
        self._end(GenerationCancelled("the engine is closed"))
        if not self._thread.is_alive():
            return True
        self._thread.join(deadline_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        batch = self._load()
        if batch is None:
            return
        while self._receive():
            self._drop_cancelled(batch)
            self._forget_prompts(batch)
            self._admit(batch)
            outcomes = attempt("a step of the engine", batch.tick, batch.runner.explain)
            self._book(batch, outcomes)
        self._drop_cancelled(batch)

    def _load(self) -> Batch | None:
        def load() -> Batch:
            hush_transformers()
            with importing_libraries():
                from bot.engine.batch import open_batch  # noqa: PLC0415 imports torch

            return open_batch(self._source, self._options)

        batch = attempt("loading the model", load, self._explain_load)
        if isinstance(batch, TriptychError):
            self._end(EngineLost("the engine has no model"))
            self._loaded.set_exception(batch)
            return None
        self._cost_model = batch.runner.cost_model
        self._capacity = batch.capacity
        self._loaded.set_result(batch.runner.info)
        return batch

    def _explain_load(self, error: Exception) -> ConfigError:
        reason = f"{type(error).__name__}: {error}"
        if self._source.hf_token:
            reason = reason.replace(self._source.hf_token, "***")
        return ConfigError(f"The model {self._source.model} could not be loaded: {reason}")

    def _receive(self) -> bool:
        """Read the whole inbox. If there is nothing to do, wait for a message. False: close the
        engine.
        """
        while True:
            busy = bool(self._drawn or self._waiting or self._must_forget)
            try:
                job = self._inbox.get(block=not busy)
            except Empty:
                return True
            if job is None:
                return False
            if job == "forget":
                self._must_forget = True
            else:
                self._waiting.append(job)

    def _drop_cancelled(self, batch: Batch) -> None:
        for drawing, job in list(self._drawn.items()):
            if job.cancelled:
                batch.leave(drawing)
                reason = self._ended or GenerationCancelled(
                    f"request {job.request.request_id} was cancelled"
                )
                self._settle(drawing, _copy(reason))

    def _forget_prompts(self, batch: Batch) -> None:
        if self._must_forget:
            self._must_forget = False
            fault = attempt("forgetting prompts", batch.forget_prompts, batch.runner.explain)
            if isinstance(fault, EngineLost):
                self._end(fault)

    def _admit(self, batch: Batch) -> None:
        """Start the requests that have waited longest, as long as they fit."""
        while self._waiting:
            request = self._waiting[0].request
            others = [job.request.recipe for job in self._drawn.values()]
            if not batch.capacity.fits(others, request.recipe):
                return
            job = self._waiting.popleft()
            if not self._take(job):
                continue
            label = f"request {request.request_id}"
            drawing = attempt(label, partial(batch.join, request, job.report), batch.runner.explain)
            if isinstance(drawing, EngineLost):
                self._end(drawing)
            if isinstance(drawing, TriptychError):
                self._forget(job)
                job.future.set_exception(drawing)
            else:
                self._drawn[drawing] = job

    def _take(self, job: _Job) -> bool:
        """Start a job, unless it was cancelled while it waited."""
        with self._lock:
            if self._jobs.get(job.request.request_id) is not job:
                return False
            job.taken = job.future.set_running_or_notify_cancel()
            if not job.taken:
                del self._jobs[job.request.request_id]
            return job.taken

    def _book(
        self, batch: Batch, outcomes: list[tuple[Drawing, RequestResult]] | TriptychError
    ) -> None:
        """Resolve the futures of finished requests. If the step itself failed, fail all futures."""
        if isinstance(outcomes, EngineLost):
            self._end(outcomes)
        if isinstance(outcomes, TriptychError):
            fault = outcomes
            outcomes = [(drawing, _copy(fault)) for drawing in self._drawn]
            for drawing in self._drawn:
                batch.leave(drawing)
        for drawing, outcome in outcomes:
            self._settle(drawing, outcome)

    def _settle(self, drawing: Drawing, outcome: RequestResult) -> None:
        job = self._drawn.pop(drawing)
        self._forget(job)
        if isinstance(outcome, TriptychError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)

    def _forget(self, job: _Job) -> None:
        with self._lock:
            self._jobs.pop(job.request.request_id, None)

    def _end(self, reason: EngineError) -> None:
        """Take no more requests, fail those that wait, cancel those being drawn."""
        with self._lock:
            self._ended = self._ended or reason
            waiting = [job for job in self._jobs.values() if not job.taken]
            for job in self._jobs.values():
                job.cancelled = True
            for job in waiting:
                del self._jobs[job.request.request_id]
        for job in waiting:
            job.fail(_copy(self._ended))
        self._inbox.put(None)


def _copy(error: TriptychError) -> TriptychError:
    """Copy an exception for each future, because raising it makes its traceback longer."""
    return type(error)(*error.args)
