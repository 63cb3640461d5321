"""The programs that are compared (arms): diffusers' pipeline in three forms, this engine in two."""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from torch._dynamo.exc import TorchDynamoException

from benchmarks.clock import Clock
from benchmarks.inside import get_batch
from benchmarks.random_models import KINDS, write_model
from bot.domain.recipes import Recipe
from bot.engine import Engine, EngineOptions, GenerationRequest, ModelSource, Progress
from bot.engine.batch import Batch
from bot.engine.capacity.capacity import Capacity
from bot.engine.models.loading import load_model
from bot.engine.runner import ModelRunner
from bot.ops.resources import get_starter_model_folder
from bot.recipes.presets import PRESETS

ARMS = ("A", "B", "B2", "C", "C-fast")
PROMPT = "dog in autumn leaves"
NUM_PICTURES = 3
_COLLECT_SECONDS = 0.05
_MAX_COLLECTED = 4


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for three pictures. num_steps: None means the model's default."""

    seed: int
    num_steps: int | None = None


Report = Callable[[float, bool], None]
"""Called with the share of the steps that are done, and whether there is a preview."""


class Arm(Protocol):
    """A program that draws, and whose speed is measured."""

    def submit(self, ask: Ask, report: Report) -> tuple[Future[Any], Callable[[], None]]:
        """Start a request. Return its future and a function that cancels it."""
        ...


class GivenUp(Exception):
    """The measurement ended before the pictures were done."""


@dataclass(slots=True, eq=False)
class _Task:
    ask: Ask
    report: Report
    future: Future[Any]
    given_up: bool = False

    def give_up(self) -> None:
        self.given_up = True


class PipelineArm:
    """Runs diffusers' pipeline in one worker thread, in the order in which requests come.

    max_collected: the most waiting requests that one call of the pipeline draws.
    """

    def __init__(self, workshop: Workshop, pipe: Any, autocast: bool, max_collected: int) -> None:
        self._workshop = workshop
        self._pipe = pipe
        self._autocast = autocast
        self._max_collected = max_collected
        self._tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, ask: Ask, report: Report) -> tuple[Future[Any], Callable[[], None]]:
        """Queue a request. Return its future and a function that cancels it."""
        task = _Task(ask, report, Future())
        self._tasks.put(task)
        return task.future, task.give_up

    def _work(self) -> None:
        torch.set_num_threads(self._workshop.num_threads)
        while True:
            tasks = [self._tasks.get()]
            until = time.perf_counter() + _COLLECT_SECONDS
            while len(tasks) < self._max_collected:
                try:
                    tasks.append(self._tasks.get(timeout=max(0.0, until - time.perf_counter())))
                except queue.Empty:
                    break
            tasks = [task for task in tasks if not task.given_up]
            try:
                if tasks:
                    self._draw(tasks)
            except GivenUp:
                continue
            except Exception as error:  # noqa: BLE001 - the boundary: the caller gets the error
                for task in tasks:
                    if not task.future.done():
                        task.future.set_exception(error)

    def _draw(self, tasks: list[_Task]) -> None:
        info = self._workshop.info
        num_steps = tasks[0].ask.num_steps or info.num_inference_steps

        def tell(pipe: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            if all(task.given_up for task in tasks):
                raise GivenUp
            for task in tasks:
                task.report((step + 1) / num_steps, False)
            return tensors

        seeds = [task.ask.seed + n for task in tasks for n in range(NUM_PICTURES)]
        on_cuda = self._workshop.device == "cuda"
        with torch.autocast("cuda") if self._autocast and on_cuda else nullcontext():
            output = self._pipe(
                [PROMPT] * len(seeds),
                num_inference_steps=num_steps,
                guidance_scale=info.guidance_scale,
                generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
                callback_on_step_end=tell,
                callback_on_step_end_tensor_inputs=[],
            )
        for task in tasks:
            if task.future.set_running_or_notify_cancel():  # false if the request was cancelled
                task.future.set_result(output)


class EngineArm:
    """Runs this engine. Requests that do not fit wait inside it, in the order they came."""

    def __init__(self, workshop: Workshop, preset: str) -> None:
        self._workshop = workshop
        self._preset = PRESETS[preset]
        self._next_id = 0

    def submit(self, ask: Ask, report: Report) -> tuple[Future[Any], Callable[[], None]]:
        """Give a request to the engine."""
        self._next_id += 1
        request = self._workshop.make_request(ask, self._preset, id(self) + self._next_id)

        def hear(progress: Progress) -> None:
            report(progress.step / progress.num_steps, progress.preview is not None)

        engine = self._workshop.engine
        future = engine.submit(request, hear)
        return future, lambda: engine.cancel(request.request_id)


class Workshop:
    """Holds the weights for all arms, loaded once. All arms use as many threads as the engine."""

    def __init__(self, device: str, model: str | None, clock: Clock, *, compiles: bool) -> None:
        self.device = device
        self.clock = clock
        self.compiled_b = "no: --quick or --no-compile"
        self._compiles = compiles
        spare = len(os.sched_getaffinity(0)) - 1
        self.num_threads = max(1, min(torch.get_num_threads(), spare)) if device == "cpu" else 1
        self._folder = tempfile.TemporaryDirectory()
        self.model = model or "starter model"
        if model in KINDS:
            model = str(write_model(model, Path(self._folder.name)))
        self.path = model or str(get_starter_model_folder())

    def __enter__(self) -> Workshop:
        started = time.perf_counter()
        self.engine = Engine(ModelSource(self.path, device=self.device))
        self.info = self.engine.start().result()
        self.capacity = get_batch(self.engine).capacity
        self.engine.submit(self.make_request(Ask(0, 2), PRESETS["quality"], 0)).result()
        self.cold_start = {"C": time.perf_counter() - started}
        self._pipes = {name: self._open_pipe(name) for name in ("A", "B")}
        self.arms: dict[str, Arm] = {
            "A": PipelineArm(self, self._pipes["A"], autocast=True, max_collected=1),
            "B": PipelineArm(self, self._pipes["B"], autocast=False, max_collected=1),
            "B2": PipelineArm(self, self._pipes["B"], False, _MAX_COLLECTED),
            "C": EngineArm(self, "quality"),
            "C-fast": EngineArm(self, "fast"),
        }
        for name in ("A", "B"):
            started = time.perf_counter()
            self.arms[name].submit(Ask(0), _ignore)[0].result()
            self.cold_start[name] += time.perf_counter() - started
        if self._compiles:
            self._compile_b()
        started = self.clock.now()
        self.arms["A"].submit(Ask(1), _ignore)[0].result()
        self.seconds_alone = self.clock.now() - started
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.engine.close(60)
        self._folder.cleanup()

    def make_request(self, ask: Ask, preset: Any, number: int) -> GenerationRequest:
        """Convert this ask into a request to the engine."""
        info = self.info
        recipe = Recipe(
            prompt=PROMPT,
            width=info.width,
            height=info.height,
            num_inference_steps=ask.num_steps
            or preset.num_inference_steps
            or info.num_inference_steps,
            guidance_scale=info.guidance_scale,
            sampler=preset.sampler or info.default_sampler,
            seeds=tuple(ask.seed + n for n in range(NUM_PICTURES)),
            guidance_until=preset.guidance_until,
        )
        return GenerationRequest(number, recipe)

    @property
    def stepping_share(self) -> float:
        """Return the share of a picture's work that its steps take. The decoder takes the rest."""
        cost, info = get_batch(self.engine).runner.cost_model, self.info
        ask = (info.num_inference_steps, info.guidance_scale, info.default_sampler)
        return 1 - cost.decode_flop / cost._flop(1, *ask)

    def measure_equality(self) -> dict[str, float]:
        """Draw the same request with the engine and with the pipeline, in float32."""
        torch.set_num_threads(self.num_threads)
        model, alone = (load_model(ModelSource(self.path, device=self.device)) for _ in range(2))
        for pipe in (model.pipe, alone.pipe):
            for part in pipe.components.values():
                if isinstance(part, torch.nn.Module):
                    torch.nn.Module.to(part, torch.float32)
            pipe.set_progress_bar_config(disable=True)
        runner = ModelRunner(model, EngineOptions(rows=12))
        batch = Batch(runner, Capacity(model.info, 12))
        finished: list[torch.Tensor] = []
        decode = runner.decode

        def note_and_decode(latents: torch.Tensor, **how: Any) -> Any:
            finished.append(latents.clone())
            return decode(latents, **how)

        runner.decode = note_and_decode
        request = self.make_request(Ask(5), PRESETS["quality"], 1)
        recipe = request.recipe
        batch.join(request, lambda progress: None)
        while not (outcomes := batch.tick()):
            pass
        ours: Any = outcomes[0][1]
        last: dict[str, torch.Tensor] = {}

        def keep(pipe: Any, step: int, t: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            last.update(tensors)
            return tensors

        pictures = alone.pipe(
            [PROMPT] * NUM_PICTURES,
            num_inference_steps=recipe.num_inference_steps,
            guidance_scale=recipe.guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in recipe.seeds],
            output_type="np",
            callback_on_step_end=keep,
        ).images
        grey = (pictures * 255).round().astype(int)
        error = (finished[0] - last["latents"]).norm() / last["latents"].norm()
        return {
            "max_relative_error": float(error),
            "max_grey_levels": int(np.abs(grey - ours.images.astype(int)).max()),
        }

    def _compile_b(self) -> None:
        """Compile B for every batch size that B2 can need. If this fails, note why."""
        pipe, started = self._pipes["B"], time.perf_counter()
        plain = pipe.unet, pipe.vae.decode
        mode = "max-autotune-no-cudagraphs" if self.device == "cuda" else "default"
        pipe.unet = torch.compile(pipe.unet, mode=mode)
        pipe.vae.decode = torch.compile(pipe.vae.decode)
        try:
            for num_requests in range(1, _MAX_COLLECTED + 1):
                asks = [self.arms["B2"].submit(Ask(n, 2), _ignore) for n in range(num_requests)]
                for future, _ in asks:
                    future.result()
        except TorchDynamoException as error:
            pipe.unet, pipe.vae.decode = plain
            self.compiled_b = f"no: {type(error).__name__}"
            return
        self.compiled_b = mode
        self.cold_start["B"] += time.perf_counter() - started

    def _open_pipe(self, name: str) -> Any:
        started = time.perf_counter()
        dtype = torch.float16 if self.device == "cuda" else torch.float32
        pipe = DiffusionPipeline.from_pretrained(self.path, dtype=dtype, use_safetensors=True).to(
            self.device
        )
        pipe.set_progress_bar_config(disable=True)
        if name == "B":
            pipe.unet.to(memory_format=torch.channels_last)
            pipe.vae.to(memory_format=torch.channels_last)
        self.cold_start[name] = time.perf_counter() - started
        return pipe


def _ignore(share: float, has_preview: bool) -> None:
    """Ignore the progress of a request."""
