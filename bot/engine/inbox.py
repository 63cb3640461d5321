"""Takes in requests from any thread and hands them to the engine thread."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from bot.engine.api import GenerationOutput, GenerationRequest, Progress, ProgressCallback
from bot.engine.boundary import attempt
from bot.errors import EngineError, GenerationCancelled, GenerationRejected, TriptychError
from bot.texts.codes import Code
from bot.texts.reasons import because

if TYPE_CHECKING:
    from bot.domain.recipes import Recipe


@dataclass(slots=True, eq=False)
class Job:
    """A request in an engine. taken: the engine thread has started it."""

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


class Inbox:
    """All requests of an engine, from ``submit`` until they have ended.

    must_forget: whether prompts are to be forgotten. Only the engine thread may set it to False.
    """

    def __init__(self) -> None:
        self.must_forget = False
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}
        self._arrived: SimpleQueue[Job | None] = SimpleQueue()  # None only wakes the engine thread
        self._ended: EngineError | None = None

    @property
    def ended(self) -> EngineError | None:
        """Return why nothing can be drawn any more; None if all is well."""
        return self._ended

    def list_recipes(self) -> list[Recipe]:
        """List the recipes of all requests that have not ended."""
        with self._lock:
            return [job.request.recipe for job in self._jobs.values()]

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None
    ) -> Future[GenerationOutput]:
        """Take in a request, or refuse it."""
        job = Job(request, on_progress)
        with self._lock:
            refusal = self._ended
            if refusal is None and request.request_id in self._jobs:
                refusal = GenerationRejected(
                    because(Code.DRAWN_ALREADY, request_id=request.request_id)
                )
            if refusal is None:
                self._jobs[request.request_id] = job
                self._arrived.put(job)
                return job.future
        job.fail(copy_error(refusal))
        return job.future

    def cancel(self, request_id: int) -> None:
        """Fail a request that waits. Mark one that is being drawn as cancelled."""
        with self._lock:
            job = self._jobs.get(request_id)
            if job is None:
                return
            job.cancelled = True
            if job.taken:
                return
            del self._jobs[request_id]
        job.fail(GenerationCancelled(f"request {request_id} was cancelled"))

    def ask_to_forget(self) -> None:
        """Wake the engine thread, so that it forgets prompts."""
        self.must_forget = True
        self._arrived.put(None)

    def receive(self, *, wait: bool, seconds: float | None = None) -> list[Job]:
        """Return the requests that arrived. wait: wait for one, or until ``seconds`` are over."""
        found: list[Job] = []
        while True:
            may_wait = wait and not (found or self.must_forget or self._ended)
            try:
                job = self._arrived.get(block=may_wait, timeout=seconds)
            except Empty:
                return found
            if job is not None:
                found.append(job)

    def take(self, job: Job) -> bool:
        """Start a job, unless it was cancelled while it waited."""
        with self._lock:
            if self._jobs.get(job.request.request_id) is not job:
                return False
            job.taken = job.future.set_running_or_notify_cancel()
            if not job.taken:
                del self._jobs[job.request.request_id]
            return job.taken

    def settle(self, job: Job, outcome: GenerationOutput | TriptychError) -> None:
        """End a job that was taken."""
        with self._lock:
            self._jobs.pop(job.request.request_id, None)
        if isinstance(outcome, TriptychError):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)

    def end(self, reason: EngineError) -> None:
        """Take no more requests, fail those that wait, cancel those being drawn."""
        with self._lock:
            self._ended = self._ended or reason
            waiting = [job for job in self._jobs.values() if not job.taken]
            for job in self._jobs.values():
                job.cancelled = True
            for job in waiting:
                del self._jobs[job.request.request_id]
        for job in waiting:
            job.fail(copy_error(self._ended))
        self._arrived.put(None)


def copy_error(error: TriptychError) -> TriptychError:
    """Copy an exception for each future, because raising it makes its traceback longer."""
    return type(error)(*error.args)
