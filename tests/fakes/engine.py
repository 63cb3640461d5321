"""An engine that draws flat colours in its own thread: fast, deterministic, without torch. It has
the interface of the real engine, so tests and benchmarks can use it instead. No setting of the
product selects it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.domain.models import ModelEntry
from bot.domain.recipes import Recipe
from bot.engine import check_upscaler
from bot.engine.api import (
    GenerationOutput,
    GenerationRequest,
    ModelInfo,
    ModelStatus,
    Progress,
    ProgressCallback,
    Swapping,
)
from bot.errors import EngineLost, GenerationCancelled

UPSCALER = Path(__file__).parents[2] / "bot" / "upscaler" / "realesr-animevideov3-x4.safetensors"
SHIPPED = check_upscaler(UPSCALER)

INFO = ModelInfo(
    id="fake model",
    name="fake model",
    width=64,
    height=64,
    size_multiple=8,
    max_tokens=77,
    samplers=("ddim", "euler"),
    default_sampler="ddim",
    num_inference_steps=4,
    guidance_scale=3.0,
    device="cpu",
    dtype="float32",
    engine="fake engine",
    max_clip_skip=3,
    upscaler=SHIPPED,
)


def describe_fake(entry: ModelEntry, *, is_default: bool) -> ModelInfo:
    """Return the info of a fake model that MODELS_FILE names. Without values of its own, it is like
    ``INFO``.
    """
    sampler = entry.sampler or INFO.default_sampler
    width, height = entry.size or (INFO.width, INFO.height)
    return replace(
        INFO,
        id=entry.id,
        name=entry.label or entry.id,
        width=width,
        height=height,
        sizes=entry.sizes,
        samplers=tuple(dict.fromkeys((sampler, "euler"))),
        default_sampler=sampler,
        num_inference_steps=entry.num_inference_steps or INFO.num_inference_steps,
        guidance_scale=(
            INFO.guidance_scale if entry.guidance_scale is None else entry.guidance_scale
        ),
        engine=f"engine of {entry.id}",
        is_default=is_default,
        licence=entry.licence,
    )


FAKE_TILES = 2
UPSCALING_COST = 0.125


@dataclass(frozen=True, slots=True)
class FakeEstimator:
    """Says that the fake engine can draw one request at a time."""

    info: ModelInfo
    swapping: Swapping | None = None

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        return not list(others)

    def cost(self, recipe: Recipe) -> float:
        if recipe.is_upscaled:
            return UPSCALING_COST
        steps = (recipe.num_inference_steps or 0) / self.info.num_inference_steps
        width, height = recipe.size
        area = width * height / (self.info.width * self.info.height)
        return steps * area * self.info.cost_factor


class FakeEngine:
    """Draws one request at a time, with ``step_seconds`` per step. ``flaw`` may raise an error for
    a request. drawn_by: the engine id and the seconds that outputs name instead of the real ones.
    """

    def __init__(
        self,
        *,
        step_seconds: float = 0.0,
        info: ModelInfo = INFO,
        load_error: Exception | None = None,
        flaw: Callable[[GenerationRequest], None] = lambda request: None,
        flagged: Callable[[GenerationRequest], tuple[bool | None, ...]] = (
            lambda request: (None,) * len(request.recipe.seeds)
        ),
        drawn_by: Callable[[GenerationRequest], tuple[str, float]] | None = None,
    ) -> None:
        self.info = info
        self.drawn: list[GenerationRequest] | deque[GenerationRequest] = []
        self.is_draining = False
        self.is_loading = False
        self.on_change: Callable[[], object] = lambda: None
        self.num_forgotten = 0  # how often ``forget_prompts`` was called
        self.may_load = threading.Event()  # a test clears this to delay the loading of the model
        self.may_load.set()
        self._step_seconds = step_seconds
        self._load_error = load_error
        self._flaw = flaw
        self._flagged = flagged
        self._drawn_by = drawn_by
        self._inbox: queue.SimpleQueue[
            tuple[GenerationRequest, ProgressCallback | None, Future[GenerationOutput]] | None
        ] = queue.SimpleQueue()
        self._in_flight: set[int] = set()
        self._cancelled: set[int] = set()
        self._lost: EngineLost | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._loaded: Future[ModelInfo] = Future()

    def start(self) -> Future[ModelInfo]:
        self._thread.start()
        return self._loaded

    def submit(
        self, request: GenerationRequest, on_progress: ProgressCallback | None = None
    ) -> Future[GenerationOutput]:
        future: Future[GenerationOutput] = Future()
        self._in_flight.add(request.request_id)
        self._inbox.put((request, on_progress, future))
        return future

    def cancel(self, request_id: int) -> None:
        if request_id in self._in_flight:
            self._cancelled.add(request_id)

    def has_room(self, recipe: Recipe) -> bool:
        return not self._in_flight

    def cost(self, recipe: Recipe) -> float:
        return FakeEstimator(self.info).cost(recipe)

    @property
    def models(self) -> tuple[ModelStatus, ...]:
        return (ModelStatus(self.info.id, self.info),) if self._loaded.done() else ()

    @property
    def estimator(self) -> FakeEstimator | None:
        return FakeEstimator(self.info) if self._loaded.done() else None

    @property
    def fault(self) -> EngineLost | None:
        return self._lost

    def forget_prompts(self) -> None:
        self.num_forgotten += 1

    def abandon(self, reason: str) -> None:
        self.close(0.0)

    def close(self, deadline_seconds: float) -> bool:
        self._cancelled |= self._in_flight
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(deadline_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self.may_load.wait()
        if self._load_error is not None:
            self._loaded.set_exception(self._load_error)
            return
        if self._loaded.set_running_or_notify_cancel():
            self._loaded.set_result(self.info)
        while (item := self._inbox.get()) is not None:
            request, on_progress, future = item
            if not future.set_running_or_notify_cancel():
                self._in_flight.discard(request.request_id)
                continue
            try:
                output = self._draw(request, on_progress)
            except Exception as error:  # noqa: BLE001 - the engine thread's boundary
                self._lost = error if isinstance(error, EngineLost) else None
                self._in_flight.discard(request.request_id)
                future.set_exception(error)
            else:
                self._in_flight.discard(request.request_id)
                future.set_result(output)

    def _sketch(self, request: GenerationRequest) -> NDArray[np.uint8]:
        return np.stack([np.full((8, 8, 3), seed % 256, np.uint8) for seed in request.recipe.seeds])

    def _draw(
        self, request: GenerationRequest, on_progress: ProgressCallback | None
    ) -> GenerationOutput:
        if self._lost is not None:
            raise self._lost
        started = time.perf_counter()
        recipe = request.recipe
        num_steps = FAKE_TILES if recipe.is_upscaled else recipe.num_inference_steps or 0
        for step in range(1, num_steps + 1):
            if request.request_id in self._cancelled:
                raise GenerationCancelled(f"request {request.request_id} was cancelled")
            time.sleep(self._step_seconds)
            if on_progress is not None:
                on_progress(Progress(step, num_steps, self._sketch(request)))
        self._flaw(request)
        self.drawn.append(request)
        shape = (*reversed(request.recipe.size), 3)
        images = np.stack(
            [np.full(shape, np.uint8(seed % 256), np.uint8) for seed in request.recipe.seeds]
        )
        if (
            request.image is not None and not recipe.is_upscaled
        ):  # a mixture of the start picture and the engine's own colour
            share = 0.5 if recipe.is_edit else recipe.strength
            images = (request.image * (1 - share) + images * share).round().astype(np.uint8)
        if request.recipe.start is not None and request.recipe.start.upscaled:
            assert request.image is not None
            images = enlarge(request.image[None], request.recipe.start.upscaled)
            assert images.shape[1:] == shape
        factor = request.recipe.shown_factor
        enlarged = enlarge(images, factor) if factor > 1 else None
        engine, seconds = self.info.engine, max(time.perf_counter() - started, 1e-6)
        if self._drawn_by is not None:
            engine, seconds = self._drawn_by(request)
        return GenerationOutput(
            images, self._flagged(request), seconds, engine=engine, enlarged=enlarged
        )


def enlarge(images: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Repeat the pixels of (N, H, W, 3)."""
    return images.repeat(factor, axis=1).repeat(factor, axis=2)
