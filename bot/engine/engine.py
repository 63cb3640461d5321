"""The engine: one thread that owns one device with its models and does everything with torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot.engine.api import (
    EngineOptions,
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelSource,
    ModelStatus,
    ProgressCallback,
)
from bot.engine.boundary import attempt, explain_load
from bot.engine.capacity.estimator import ModelsEstimator
from bot.engine.inbox import Inbox, Job, copy_error
from bot.engine.models.checks import hush_transformers
from bot.engine.process import importing_libraries
from bot.errors import (
    EngineError,
    EngineLost,
    GenerationCancelled,
    GenerationRejected,
    ModelOut,
    TriptychError,
)
from bot.texts.codes import Code
from bot.texts.reasons import because

if TYPE_CHECKING:
    from bot.domain.recipes import Recipe
    from bot.engine.batch import RequestResult
    from bot.engine.sharing.device_models import DeviceModels, HostedModel
    from bot.engine.steps.groups import Drawing


_SHORT_SECONDS = 0.05  # how long the thread sleeps if requests wait, but none can start yet


class Engine:
    """Draws requests together, step by step. Requests that do not fit wait in the order they came.

    sources: one model or several, the default one first. Every method may be called from any
    thread. Futures are resolved in the engine thread, or in the caller's thread for requests that
    the engine never took.
    """

    def __init__(
        self,
        sources: ModelSource | Sequence[ModelSource],
        *,
        cache_dir: Path | None = None,
        rows: int | None = None,
        deterministic: bool = False,
        compile_unet: bool = False,
        unit_flop: float | None = None,
        upscaler: Path | None = None,
        weight_bytes: int | None = None,
    ) -> None:
        self._sources = (sources,) if isinstance(sources, ModelSource) else tuple(sources)
        self._options = EngineOptions(
            cache_dir, rows, deterministic, compile_unet, unit_flop, upscaler, weight_bytes
        )
        self.on_change: Callable[[], object] = lambda: None
        self._inbox = Inbox()
        self._models: DeviceModels | None = None
        self._loaded: Future[ModelInfo] = Future()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._waiting: list[Job] = []  # only the engine thread uses it

    @property
    def models(self) -> tuple[ModelStatus, ...]:
        """Return all models, the default one first; empty until the first one is loaded."""
        return self._models.statuses if self._models is not None else ()

    @property
    def estimator(self) -> ModelsEstimator | None:
        """Return the present estimator of room and costs; None until a model is loaded."""
        return self._models.estimator if self._models is not None else None

    @property
    def is_loading(self) -> bool:
        """Return whether a model is being loaded, so that no steps are taken."""
        return self._models is not None and self._models.is_loading

    @property
    def fault(self) -> EngineError | None:
        """Return why nothing can be drawn any more; None if all is well."""
        return self._inbox.ended

    @property
    def is_draining(self) -> bool:
        """Return False, because this engine draws until the program ends."""
        return False

    def start(self) -> Future[ModelInfo]:
        """Start the engine thread and load the models, the first one at once.

        The future's result is the first model that could be loaded. It fails with ConfigError.
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
        GenerationRejected, GenerationFailed, ModelOut or EngineLost.
        """
        return self._inbox.submit(request, on_progress)

    def cancel(self, request_id: int) -> None:
        """End a request with GenerationCancelled: at once if it waits, otherwise within a step."""
        self._inbox.cancel(request_id)

    def has_room(self, recipe: Recipe) -> bool:
        """Return whether a request for this recipe would be drawn from the next step on.

        If its model rests, it will be drawn once it is this model's turn.
        """
        others, estimator = self._inbox.list_recipes(), self.estimator
        return not others if estimator is None else estimator.fits(others, recipe)

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work in default requests of the default model; 1.0 before loading."""
        estimator = self.estimator
        return 1.0 if estimator is None else estimator.cost(recipe)

    def forget_prompts(self) -> None:
        """Forget, within a step, every prompt that is not being drawn."""
        self._inbox.ask_to_forget()

    def abandon(self, reason: str) -> None:
        """Ask the thread to stop, and do not wait for it."""
        self.close(0.0)

    def close(self, deadline_seconds: float) -> bool:
        """Cancel everything and stop the thread; False if it is still busy at the deadline.

        A model that is being loaded cannot be interrupted; the thread ends after it.
        """
        self._inbox.end(GenerationCancelled("the engine is closed"))
        if not self._thread.is_alive():
            return True
        self._thread.join(deadline_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        models = self._load()
        if models is None:
            return
        while self._receive(models):
            self._drop_cancelled(models)
            self._forget_prompts(models)
            fault = attempt("arranging the models", partial(self._arrange, models), _explain)
            if isinstance(fault, TriptychError):
                self._inbox.end(EngineLost(str(fault)))
            self._admit(models)
            self._step(models)
        self._drop_cancelled(models)

    def _load(self) -> DeviceModels | None:
        def load() -> tuple[DeviceModels, ModelInfo]:
            hush_transformers()
            with importing_libraries():
                from bot.engine.sharing.device_models import (  # noqa: PLC0415 imports torch
                    DeviceModels,
                )

            models = DeviceModels(self._sources, self._options, self._book, self._tell_change)
            return models, models.load_first()

        loaded = attempt("loading the model", load, partial(explain_load, self._sources[0]))
        if isinstance(loaded, TriptychError):
            self._inbox.end(EngineLost("the engine has no model"))
            self._loaded.set_exception(loaded)
            return None
        self._models, info = loaded
        self._loaded.set_result(info)
        return self._models

    def _tell_change(self) -> None:
        self.on_change()

    def _receive(self, models: DeviceModels) -> bool:
        """Read the inbox. If there is nothing to do, wait for a message. False: end the thread."""
        is_busy = any(each.drawn for each in models.hosted)
        seconds = _SHORT_SECONDS if self._waiting else models.seconds_to_load
        self._waiting += self._inbox.receive(wait=not is_busy, seconds=seconds)
        return self._inbox.ended is None

    def _drop_cancelled(self, models: DeviceModels) -> None:
        for hosted in models.hosted:
            for drawing, job in list(hosted.drawn.items()):
                if job.cancelled:
                    if hosted.batch is not None:
                        hosted.batch.leave(drawing)
                    reason = self._inbox.ended or GenerationCancelled(
                        f"request {job.request.request_id} was cancelled"
                    )
                    self._settle(hosted, drawing, copy_error(reason))

    def _forget_prompts(self, models: DeviceModels) -> None:
        if not self._inbox.must_forget:
            return
        self._inbox.must_forget = False
        for batch in filter(None, [each.batch for each in models.hosted]):
            fault = attempt("forgetting prompts", batch.forget_prompts, batch.runner.explain)
            if isinstance(fault, EngineLost):
                self._inbox.end(fault)

    def _arrange(self, models: DeviceModels) -> None:
        """Load a model if one is due, then swap models if it is another one's turn."""
        wanted = [each for each in models.hosted if each.drawn]
        for job in self._waiting:
            hosted = self._find(models, job)
            if hosted is not None and hosted.batch is not None and hosted not in wanted:
                wanted.append(hosted)
        models.load_due(is_idle=not wanted)
        models.arrange(wanted)

    def _find(self, models: DeviceModels, job: Job) -> HostedModel | None:
        recipe = job.request.recipe
        return models.find(recipe.model, is_upscaled=recipe.is_upscaled)

    def _admit(self, models: DeviceModels) -> None:
        """Start the requests that have waited longest, as long as they fit. Those whose model rests
        do not hold up the others.
        """
        if not self._waiting:
            return
        estimator = models.estimator
        is_full = estimator is None
        left: list[Job] = []
        for job in self._waiting:
            hosted = self._find(models, job)
            if hosted is None or hosted.is_out:
                self._refuse(models, job, hosted)
            elif is_full or not hosted.is_awake:
                left.append(job)
            else:
                others = [
                    each.request.recipe for other in models.hosted for each in other.drawn.values()
                ]
                assert estimator is not None
                if estimator.fits(others, job.request.recipe):
                    self._begin(models, hosted, job)
                else:
                    is_full = True
                    left.append(job)
        self._waiting = left

    def _refuse(self, models: DeviceModels, job: Job, hosted: HostedModel | None) -> None:
        if not self._inbox.take(job):
            return
        known = [each.id for each in models.hosted if not each.note]
        if hosted is not None or not known:
            self._inbox.settle(job, ModelOut((hosted or models.hosted[0]).note))
            return
        why = because(Code.MODEL_NOT_LOADED, loaded=known, asked=job.request.model)
        self._inbox.settle(job, GenerationRejected(why))

    def _begin(self, models: DeviceModels, hosted: HostedModel, job: Job) -> None:
        batch, request = hosted.batch, job.request
        assert batch is not None
        if not self._inbox.take(job):
            return
        label = f"request {request.request_id}"
        drawing = attempt(label, partial(batch.join, request, job.report), batch.runner.explain)
        if isinstance(drawing, EngineLost):
            self._inbox.end(drawing)
        if isinstance(drawing, TriptychError):
            self._inbox.settle(job, drawing)
        else:
            models.begin(hosted)
            hosted.drawn[drawing] = job

    def _step(self, models: DeviceModels) -> None:
        """Take a step with the model whose turn it is."""
        hosted = models.choose()
        if hosted is None:
            return
        batch, started = hosted.batch, time.monotonic()
        assert batch is not None
        outcomes = attempt("a step of the engine", batch.tick, batch.runner.explain)
        models.note_step(hosted, time.monotonic() - started)
        self._book(hosted, outcomes)

    def _book(
        self,
        hosted: HostedModel,
        outcomes: list[tuple[Drawing, RequestResult]] | TriptychError,
    ) -> None:
        """Resolve the futures of finished requests. If the step itself failed, fail all futures."""
        if isinstance(outcomes, EngineLost):
            self._inbox.end(outcomes)
        if isinstance(outcomes, TriptychError):
            fault = outcomes
            outcomes = [(drawing, copy_error(fault)) for drawing in hosted.drawn]
            for drawing in hosted.drawn:
                if hosted.batch is not None:
                    hosted.batch.leave(drawing)
        for drawing, outcome in outcomes:
            self._settle(hosted, drawing, outcome)

    def _settle(self, hosted: HostedModel, drawing: Drawing, outcome: RequestResult) -> None:
        self._inbox.settle(hosted.drawn.pop(drawing), outcome)


def _explain(error: Exception) -> EngineError:
    return EngineLost(f"{type(error).__name__}: {error}")
