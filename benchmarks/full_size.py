"""python -m benchmarks.full_size [--model sdxl-random] [--size 512] [--steps 1] [--device cpu]
[--rates] [--json]: draws one picture with a full-size model of random weights, by the engine and by
diffusers' own pipeline.

Both use the same weights and the dtype of the device. The pipeline also draws a reference in
float32, so SDXL needs about 16 GB of memory on the CPU. The program prints how far the latents of
each are from the reference (relative), the seconds of both, and the most memory that was used.
--rates: also the rows per second of a step, for more and more rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from contextlib import suppress
from typing import Any

import torch

from benchmarks.random_models import KINDS, make_pipeline
from bot.domain.recipes import Recipe
from bot.engine import EngineOptions, GenerationRequest, ModelSource
from bot.engine.batch import Batch
from bot.engine.capacity.autotune import time_step
from bot.engine.capacity.buckets import BUCKETS
from bot.engine.capacity.capacity import Capacity
from bot.engine.hardware import CPU, Hardware, find_hardware
from bot.engine.models.loading import describe_model
from bot.engine.models.recognition import find_family_of
from bot.engine.runner import ModelRunner

_LONGEST_SECONDS = 5.0  # a step that takes longer is the last one that is timed


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=KINDS, default="sdxl-random")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="as DEVICE")
    parser.add_argument("--rates", action="store_true", help="also time steps")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    report = compare(
        arguments.model,
        arguments.size,
        arguments.steps,
        find_hardware(arguments.device),
        has_rates=arguments.rates,
    )
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("".join(f"{name}: {value:.3g}\n" for name, value in report.items()))


def compare(
    name: str, size: int, num_steps: int, hardware: Hardware = CPU, *, has_rates: bool = False
) -> dict[str, float]:
    """Draw the same request with the engine and with the pipeline; return the figures."""
    pipe = make_pipeline(name).to(hardware.type)
    recipe = Recipe(
        prompt="dog in autumn leaves",
        negative_prompt="hat",
        width=size,
        height=size,
        num_inference_steps=num_steps,
        guidance_scale=5.0,
        sampler="euler",
        seeds=(5,),
    )
    reference, pipeline_seconds = _draw_alone(pipe, recipe)
    alone = reference
    if hardware.dtype != torch.float32:
        pipe.to(hardware.dtype)
        alone, pipeline_seconds = _draw_alone(pipe, recipe)
    runner = _make_runner(pipe, name, hardware)
    ours, engine_seconds = _draw(runner, recipe)
    if hardware.has_peaks:
        peak = hardware.module.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "relative_error": _compare(ours, reference),
        "pipeline_error": _compare(alone, reference),
        "engine_seconds": engine_seconds,
        "pipeline_seconds": pipeline_seconds,
        "peak_memory_gb": peak / 1e9,
    } | (_measure_rates(runner, size) if has_rates else {})


def _compare(latents: torch.Tensor, reference: torch.Tensor) -> float:
    return float((latents.float() - reference.float()).norm() / reference.float().norm())


def _draw_alone(pipe: Any, recipe: Recipe) -> tuple[torch.Tensor, float]:
    from diffusers.schedulers.scheduling_euler_discrete import (  # noqa: PLC0415
        EulerDiscreteScheduler,
    )

    own = pipe.scheduler
    # Leave out the names of the values that the model's file leaves to the class: with them,
    # from_config would replace these values, such as the spacing of the steps.
    config = {name: own.config[name] for name in own.config if name != "_use_default_values"}
    pipe.scheduler = EulerDiscreteScheduler.from_config(config)
    started = time.perf_counter()
    latents = pipe(
        recipe.prompt,
        negative_prompt=recipe.negative_prompt,
        width=recipe.width,
        height=recipe.height,
        num_inference_steps=recipe.num_inference_steps,
        guidance_scale=recipe.guidance_scale,
        generator=[torch.Generator().manual_seed(recipe.seeds[0])],
        output_type="latent",
    ).images
    pipe.scheduler = own
    return latents, time.perf_counter() - started


def _make_runner(pipe: Any, name: str, hardware: Hardware) -> ModelRunner:
    family = find_family_of(KINDS[name]).load_class()(pipe)
    model = describe_model(ModelSource(name), family, hardware)
    return ModelRunner(model, EngineOptions(rows=2))


def _draw(runner: ModelRunner, recipe: Recipe) -> tuple[torch.Tensor, float]:
    """Draw with the engine, but do not decode; return the latents and the seconds."""
    batch = Batch(runner, Capacity(runner.info, 2))
    started = time.perf_counter()
    drawing = batch.join(GenerationRequest(1, recipe), lambda progress: None)
    [group] = batch._groups  # pyright: ignore[reportPrivateUsage]
    while not drawing.is_done:
        batch.tick()
    return group.get_latents(drawing), time.perf_counter() - started


def _measure_rates(runner: ModelRunner, size: int) -> dict[str, float]:
    rates: dict[str, float] = {}
    with torch.inference_mode(), suppress(torch.OutOfMemoryError):
        for num_rows in BUCKETS:
            group = runner.make_group(size, size, num_rows, 77)
            slots, stepper = group._slots, group._stepper  # pyright: ignore[reportPrivateUsage]
            seconds = time_step(slots, stepper, num_rows)
            rates[f"rows_per_second_{num_rows}"] = num_rows / seconds
            if seconds > _LONGEST_SECONDS:
                break
    return rates


if __name__ == "__main__":
    main()
