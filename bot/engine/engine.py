"""The engine: one thread that owns the model and does everything with torch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from bot.engine.face import (
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelSource,
    Progress,
    ProgressCallback,
)
from bot.errors import (
    ConfigError,
    EngineError,
    EngineLost,
    GenerationCancelled,
    GenerationFailed,
    GenerationRejected,
    TriptychError,
)

if TYPE_CHECKING:
    from bot.engine.cost import CostModel
    from bot.engine.runner import ModelRunner

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Job:
    request: GenerationRequest
    on_progress: ProgressCallback | None
    future: Future[GenerationOutput] = field(default_factory=Future)
    cancelled: threading.Event = field(default_factory=threading.Event)
    taken: bool = False

    def check_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise GenerationCancelled(f"request {self.request.request_id} was cancelled")

    def fail(self, error: TriptychError) -> None:
        """Fail a job that the engine thread never took, unless its awaiter has left already."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Engine:
    """Draws requests one after the other, first come first served.

    Every method may be called from any thread. Futures are resolved in the engine thread, or in
    the caller's for requests that it never took.
    """

    def __init__(self, source: ModelSource) -> None:
        self._source = source
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._jobs: dict[int, _Job] = {}
        self._ended: EngineError | None = None
        self._cost_model: CostModel | None = None
        self._loaded: Future[ModelInfo] = Future()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> Future[ModelInfo]:
        """Start the engine thread and load the model. Fails with ConfigError.

        Raises RuntimeError when called twice.
        """
        self._loaded.set_running_or_notify_cancel()
        self._thread.start()
        return self._loaded

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        """Queue a request, before or after the model is loaded; its ``request_id`` must be new.

        Fails with GenerationCancelled (also once the engine is closed), GenerationRejected,
        GenerationFailed or EngineLost.
        """
        job = _Job(request, on_progress)
        with self._lock:
            refusal = self._ended
            if refusal is None and request.request_id in self._jobs:
                refusal = GenerationRejected(f"request {request.request_id} is already being drawn")
            if refusal is None:
                self._jobs[request.request_id] = job
                self._inbox.put(job)
                return job.future
        job.fail(_copy(refusal))
        return job.future

    def cancel(self, request_id: int) -> None:
        """End a request with GenerationCancelled: at once if it waits, else within a step."""
        with self._lock:
            job = self._jobs.get(request_id)
            if job is None:
                return
            job.cancelled.set()
            if job.taken:
                return
            del self._jobs[request_id]
        job.fail(GenerationCancelled(f"request {request_id} was cancelled"))

    def has_room(self, request: GenerationRequest) -> bool:
        """Whether a request submitted now would start at once: nothing is drawn or waits."""
        return not self._jobs

    def cost(self, request: GenerationRequest) -> float:
        """Estimated work, in units of one default request; 1.0 while no model is loaded."""
        return 1.0 if self._cost_model is None else self._cost_model.estimate(request)

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
        runner = self._load()
        if runner is None:
            return
        while (job := self._take_next()) is not None:
            outcome = self._draw(runner, job)
            self._book(job, outcome)

    def _load(self) -> ModelRunner | None:
        def load() -> ModelRunner:
            # It would tell every owner that two image processors work without torchvision.
            logging.getLogger("transformers.utils.import_utils").setLevel(logging.ERROR)
            from bot.engine.runner import open_runner  # noqa: PLC0415 imports torch

            return open_runner(self._source)

        runner = _attempt("loading the model", load, self._explain_load)
        if isinstance(runner, TriptychError):
            self._end(EngineLost("the engine has no model"))
            self._loaded.set_exception(runner)
            return None
        self._cost_model = runner.cost_model
        self._loaded.set_result(runner.info)
        return runner

    def _explain_load(self, error: Exception) -> ConfigError:
        reason = f"{type(error).__name__}: {error}"
        if self._source.hf_token:
            reason = reason.replace(self._source.hf_token, "***")
        return ConfigError(f"The model {self._source.model} could not be loaded: {reason}")

    def _take_next(self) -> _Job | None:
        """Wait for a job that is still wanted; None once the engine has ended."""
        while (job := self._inbox.get()) is not None:
            with self._lock:
                if self._jobs.get(job.request.request_id) is not job:
                    continue  # cancelled while it waited
                if job.future.set_running_or_notify_cancel():
                    job.taken = True
                    return job
                del self._jobs[job.request.request_id]
        return None

    def _draw(self, runner: ModelRunner, job: _Job) -> GenerationOutput | TriptychError:
        label = f"request {job.request.request_id}"

        def report(progress: Progress) -> None:
            if job.on_progress is None:
                return
            callback = job.on_progress
            fault = _attempt(f"progress of {label}", lambda: callback(progress), EngineError)
            if fault is not None:
                job.on_progress = None

        outcome = _attempt(
            label,
            lambda: runner.draw(job.request, job.check_cancelled, report),
            runner.explain,
        )
        if isinstance(outcome, GenerationFailed):
            # Freeing touches the device: a context that died unnoticed shows itself here.
            fault = _attempt(f"freeing memory after {label}", runner.free, runner.explain)
            return fault or outcome
        return outcome

    def _book(self, job: _Job, outcome: GenerationOutput | TriptychError) -> None:
        with self._lock:
            self._jobs.pop(job.request.request_id, None)
        if isinstance(outcome, EngineLost):
            self._end(outcome)
        if isinstance(outcome, TriptychError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)

    def _end(self, reason: EngineError) -> None:
        """Take no more requests, fail those that wait, cancel the one being drawn."""
        with self._lock:
            self._ended = self._ended or reason
            waiting = [job for job in self._jobs.values() if not job.taken]
            for job in self._jobs.values():
                job.cancelled.set()
            for job in waiting:
                del self._jobs[job.request.request_id]
        for job in waiting:
            job.fail(_copy(self._ended))
        self._inbox.put(None)


def _attempt(
    label: str, work: Callable[[], T], explain: Callable[[Exception], TriptychError]
) -> T | TriptychError:
    """Return what ``work`` returns or the error it ended with: the engine thread's one border.

    The error carries no traceback, which would keep the tensors of its frames alive.
    """
    try:
        return work()
    except TriptychError as error:
        return error.with_traceback(None)
    except Exception as error:
        logger.exception("%s went wrong", label)
        return explain(error)


def _copy(error: EngineError) -> EngineError:
    """One exception object per future: raising one adds to its traceback."""
    return type(error)(*error.args)
