"""The models of one engine: loads them, and takes turns with the device among them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bot.engine.api import EngineOptions, ModelInfo, ModelSource, ModelStatus, Swapping
from bot.engine.batch import Batch, RequestResult, open_batch
from bot.engine.boundary import attempt, explain_load
from bot.engine.capacity.estimator import ModelEstimator, ModelsEstimator
from bot.engine.hardware import read_host_memory
from bot.engine.inbox import Job
from bot.engine.models.loading import fetch_model, load_model
from bot.engine.runner import DeviceFull
from bot.engine.sharing.swap_policy import MIN_TURN_SECONDS, SwapPolicy
from bot.engine.sharing.weights import (
    DiskWeights,
    Weights,
    count_bytes,
    list_tensors,
    make_weights,
)
from bot.engine.steps.groups import Drawing
from bot.errors import ConfigError, EngineLost, GenerationFailed, ModelOut, TriptychError

logger = logging.getLogger(__name__)

_WEIGHTS_SHARE = 0.6
"""The weights of all models may take this share of the device's memory; steps need the rest."""

_IDLE_SECONDS = 2.0
"""An idle engine loads its next model only after this time, so that waiting prompts come first."""

_NO_ROOM = (
    "Its weights do not fit into the device's free memory: close other programs on the device, or "
    "set OFFLOAD=encoders or OFFLOAD=model."
)

_LOOK_SECONDS = 1.0  # how often the thread looks whether a download has ended
_FIRST_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 3600.0


@dataclass(slots=True, eq=False)
class HostedModel:
    """One of an engine's models, with the requests that it draws.

    batch: None until the model is loaded, and again after it failed. info: None until it has been
    loaded once. weights: None if they have never left the device. fetching: the download of its
    files, which runs in another thread. note: why it cannot draw.
    is_out: it failed; it is loaded again at ``load_at``. used: the seconds that it has drawn,
    divided by its number of requests.
    """

    source: ModelSource
    batch: Batch | None = None
    info: ModelInfo | None = None
    weights: Weights | None = None
    fetching: Future[TriptychError | None] | None = None
    is_awake: bool = False
    note: str = "It is being loaded."
    is_out: bool = False
    load_at: float = 0.0
    pause_seconds: float = _FIRST_PAUSE_SECONDS
    used: float = 0.0
    drawn: dict[Drawing, Job] = field(default_factory=dict[Drawing, Job])

    @property
    def id(self) -> str:
        """Return what recipes call it."""
        return self.info.id if self.info else self.source.id or Path(self.source.model).stem

    @property
    def is_fetching(self) -> bool:
        """Return whether its files are being downloaded."""
        return self.fetching is not None and not self.fetching.done()

    @property
    def status(self) -> ModelStatus:
        """Describe it for the pool."""
        return ModelStatus(self.id, self.info, self.note, self.is_out)


Settle = Callable[[HostedModel, list[tuple[Drawing, RequestResult]] | TriptychError], None]
"""Ends requests that have finished or failed."""


class DeviceModels:
    """Loads models and swaps them. Only the engine thread uses it, except where noted.

    If the device can hold all models, all stay on it. Otherwise, one is on it, and the others rest.
    settle: called with requests that end because a model leaves the device. on_change: called when
    what ``statuses``, ``estimator`` or ``is_loading`` return has changed. is_loading: a model is
    being loaded from its files or copied to the host for the first time, so no steps are taken.
    """

    def __init__(
        self,
        sources: Sequence[ModelSource],
        options: EngineOptions,
        settle: Settle,
        on_change: Callable[[], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hosted = tuple(map(HostedModel, sources))
        self._options = options
        self._settle = settle
        self._on_change = on_change
        self._clock = clock
        self._policy = SwapPolicy(clock)
        self.is_loading = False
        self._swaps = False
        self._last_load = clock()

    @property
    def statuses(self) -> tuple[ModelStatus, ...]:
        """Describe all models. Any thread may ask."""
        return tuple(each.status for each in self.hosted)

    @property
    def estimator(self) -> ModelsEstimator | None:
        """Return the present estimator; None if no model is loaded. Any thread may ask."""
        loaded = {
            each.id: ModelEstimator(batch.runner.cost_model, copy(batch.capacity))
            for each in self.hosted
            if (batch := each.batch) is not None
        }
        return ModelsEstimator(loaded, self._swapping) if loaded else None

    @property
    def seconds_to_load(self) -> float | None:
        """Return how long no model has to be loaded; None if all are loaded."""
        now, earliest = self._clock(), self._last_load + _IDLE_SECONDS
        due = [
            now + _LOOK_SECONDS if each.is_fetching else max(each.load_at, earliest)
            for each in self.hosted
            if each.batch is None
        ]
        return max(0.0, min(due) - now) if due else None

    def find(self, model: str | None, *, is_upscaled: bool = False) -> HostedModel | None:
        """Return the model of a request. For None, or if nothing is drawn, any model will do."""
        if model is None or is_upscaled:
            fit = [each for each in self.hosted if each.batch is not None]
            return min(fit, key=lambda each: is_upscaled and not each.is_awake, default=None)
        return next((each for each in self.hosted if each.id == model), None)

    def load_first(self) -> ModelInfo:
        """Load the first model that can be loaded. Raises ConfigError if there is none."""
        faults: list[TriptychError] = []
        for hosted in self.hosted:
            fault = self._load(hosted)
            self._last_load = self._clock()
            if hosted.info is not None:
                return hosted.info
            assert fault is not None
            faults.append(fault)
        raise faults[0] if len(faults) == 1 else ConfigError("\n".join(map(str, faults)))

    def load_due(self, *, is_idle: bool) -> None:
        """Load the next model that is not loaded, if it is time to. Raises EngineLost."""
        now, pause = self._clock(), _IDLE_SECONDS if is_idle else MIN_TURN_SECONDS
        if now - self._last_load < pause:
            return
        for hosted in self.hosted:
            if hosted.batch is None and hosted.load_at <= now and self._fetch(hosted):
                self._load(hosted)
                self._last_load = self._clock()
                return

    def arrange(self, wanted: Collection[HostedModel]) -> None:
        """Put the model on the device whose turn it is. wanted: those with requests.

        Raises EngineLost.
        """
        if not self._swaps:
            return
        chosen = self._policy.choose([each.id for each in wanted])
        for hosted in wanted:
            if hosted.id == chosen and not hosted.is_awake:
                self._swap(hosted)

    def choose(self) -> HostedModel | None:
        """Return the model on the device that takes the next step; None if all are idle."""
        active = [each for each in self.hosted if each.is_awake and each.drawn]
        return min(active, key=lambda each: each.used, default=None)

    def begin(self, hosted: HostedModel) -> None:
        """Note that a model gets a request. If it was idle, it gets no extra turns for that."""
        if not hosted.drawn:
            others = [each.used for each in self.hosted if each.drawn]
            hosted.used = max(hosted.used, min(others, default=0.0))

    def note_step(self, hosted: HostedModel, seconds: float) -> None:
        """Count the time of a step."""
        hosted.used += seconds / max(1, len(hosted.drawn))
        self._policy.note_drawn(seconds)

    def fail(self, hosted: HostedModel, fault: TriptychError) -> None:
        """Take a model out until it is loaded again. Its requests end with ModelOut."""
        if len(self.hosted) > 1:
            logger.error("the model %s does not work: %s", hosted.id, fault)
        hosted.note, hosted.is_out = str(fault), True
        hosted.load_at = self._clock() + hosted.pause_seconds
        hosted.pause_seconds = min(2 * hosted.pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._policy.note_gone(hosted.id)
        hosted.batch, hosted.weights, hosted.is_awake = None, None, False
        self._on_change()  # before the requests end, so that nobody sends them here again
        if hosted.drawn:
            self._settle(hosted, ModelOut(str(fault)))

    @property
    def _swapping(self) -> Swapping | None:
        policy = self._policy
        if not self._swaps:
            return None
        return Swapping(policy.loaded, policy.swap_seconds, policy.turn_seconds)

    @property
    def _limit_bytes(self) -> int | None:
        """Return how much memory all weights may take; None: no limit, or not known yet."""
        if self._options.weight_bytes is not None:
            return self._options.weight_bytes
        hardware = next(each.batch.runner.hardware for each in self.hosted if each.batch)
        if hardware.type == "cpu":
            return None
        memory = hardware.read_memory()
        return 0 if memory is None else int(_WEIGHTS_SHARE * memory[1])

    def _fetch(self, hosted: HostedModel) -> bool:
        """Download a model's files while others draw. Return whether all are here."""
        if hosted.fetching is None:
            hosted.fetching = _start_fetching(hosted.source)
        if not hosted.fetching.done():
            return False
        fault, hosted.fetching = hosted.fetching.result(), None
        if fault is not None:
            self.fail(hosted, fault)
        return fault is None

    def _load(self, hosted: HostedModel) -> TriptychError | None:
        """Load a model with the whole device for itself, and measure it. Raises EngineLost.

        Return why it cannot be loaded, or None.
        """
        awake = [each for each in self.hosted if each.is_awake]
        if awake and self._limit_bytes is not None:
            for each in awake:
                self._rest(each)
        others = [each for each in self.hosted if each is not hosted]
        loaded = [each.info for each in others if each.info is not None]
        is_default = self.hosted[0].source.is_default and not any(i.is_default for i in loaded)
        source = replace(hosted.source, is_default=is_default)
        unit = next((info.request_flop for info in loaded if info.is_default), None)
        options = replace(self._options, unit_flop=self._options.unit_flop or unit)
        if len(self.hosted) > 1:
            options = replace(options, compile_unet=False)  # compiled code points at the weights
        work = partial(open_batch, source, options)
        with self._loading():
            batch = attempt("loading the model", work, partial(explain_load, source))
        fault = batch if isinstance(batch, TriptychError) else None
        if isinstance(fault, EngineLost):
            raise fault
        if isinstance(batch, Batch):
            hosted.batch, hosted.info, hosted.is_awake = batch, batch.runner.info, True
            hosted.note, hosted.is_out, hosted.pause_seconds = "", False, _FIRST_PAUSE_SECONDS
            if len(self.hosted) > 1:
                self._place(hosted)
        elif fault is not None:
            self.fail(hosted, fault)
            self._free()
        self._wake_all()
        self._on_change()
        return fault

    @contextmanager
    def _loading(self) -> Iterator[None]:
        self.is_loading = True
        self._on_change()
        try:
            yield
        finally:
            self.is_loading = False
            self._on_change()

    def _place(self, newest: HostedModel) -> None:
        """Decide whether the device holds all loaded models from now on."""
        limit = self._limit_bytes
        needed = sum(
            count_bytes(list_tensors(each.batch.runner.family.pipe))
            if each.weights is None
            else each.weights.num_bytes
            for each in self.hosted
            if each.batch is not None
        )
        self._swaps = limit is not None and needed > limit
        if self._swaps:
            logger.info("the models take turns on the device, which cannot hold all of them")
            self._policy.note_swapped(newest.id)
            for each in self.hosted:
                if each.is_awake and each is not newest:
                    self._rest(each)

    def _wake_all(self) -> None:
        """If the device can hold all models, put those that rest on it."""
        if not self._swaps:
            for each in self.hosted:
                if each.batch is not None and not each.is_awake:
                    self._wake(each)

    def _swap(self, hosted: HostedModel) -> None:
        started = self._clock()
        for each in self.hosted:
            if each.is_awake:
                self._rest(each)
        if self._wake(hosted):
            seconds = self._clock() - started
            self._policy.note_swapped(hosted.id, seconds)
            logger.info("%s is on the device after %.1f s", hosted.id, seconds)
            self._on_change()

    def _rest(self, hosted: HostedModel) -> None:
        """Take a model off the device. Its requests go on when it is back."""
        batch = hosted.batch
        assert batch is not None
        self._settle(hosted, attempt(f"resting {hosted.id}", batch.rest, batch.runner.explain))
        if hosted.weights is None:
            # "auto" could choose other parts now, because another amount of memory is free
            source = replace(hosted.source, offload=batch.runner.offload)
            with self._loading():  # the first copy may take minutes
                hosted.weights = make_weights(
                    batch.runner.family.pipe,
                    partial(_load_again, source, self._options),
                    shares_memory=batch.runner.hardware.id == "mps",
                    free_bytes=read_host_memory(),
                )
        hosted.weights.rest()
        hosted.is_awake = False

    def _wake(self, hosted: HostedModel) -> bool:
        """Put a model's weights on the device. Raises EngineLost."""
        assert hosted.batch is not None and hosted.weights is not None
        label = f"putting {hosted.id} on the device"
        with self._loading() if isinstance(hosted.weights, DiskWeights) else nullcontext():
            fault = attempt(label, hosted.weights.wake, hosted.batch.runner.explain)
        if isinstance(fault, EngineLost):
            raise fault
        if isinstance(fault, DeviceFull):
            fault = GenerationFailed(_NO_ROOM)
        hosted.is_awake = fault is None
        if fault is not None:
            self.fail(hosted, fault)
        self._free()
        return fault is None

    def _free(self) -> None:
        """Wait for the device, and free its memory that nobody uses. Raises EngineLost."""
        for batch in [each.batch for each in self.hosted if each.batch is not None][:1]:
            batch.runner.free()


def _start_fetching(source: ModelSource) -> Future[TriptychError | None]:
    fetching: Future[TriptychError | None] = Future()

    def run() -> None:
        explain = partial(explain_load, source)
        work = partial(fetch_model, source)
        fetching.set_result(attempt("downloading a model", work, explain))

    threading.Thread(target=run, name="download", daemon=True).start()
    return fetching


def _load_again(source: ModelSource, options: EngineOptions) -> object:
    return load_model(source, options.unit_flop, options.cache_dir).pipe
