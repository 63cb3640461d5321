"""python -m benchmarks.full_size [--model sdxl-random] [--size 512] [--steps 1] [--json]: draws one
picture with a full-size model of random weights, with the engine and with diffusers' own pipeline.

Both use the same weights in float32 on the CPU, so SDXL needs about 16 GB of memory. The program
prints the relative difference of the latents, the seconds of both, and the peak of memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from typing import Any

import torch

from benchmarks.random_models import KINDS, make_pipeline
from bot.domain.recipes import Recipe
from bot.engine import EngineOptions, GenerationRequest, ModelSource
from bot.engine.batch import Batch
from bot.engine.capacity.capacity import Capacity
from bot.engine.hardware import CPU
from bot.engine.models.loading import describe_model
from bot.engine.models.recognition import find_family_of
from bot.engine.runner import ModelRunner


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=KINDS, default="sdxl-random")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    report = compare(arguments.model, arguments.size, arguments.steps)
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("".join(f"{name}: {value:.3g}\n" for name, value in report.items()))


def compare(name: str, size: int, num_steps: int) -> dict[str, float]:
    """Draw the same request with both. Return the figures."""
    pipe = make_pipeline(name)
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
    alone, pipeline_seconds = _draw_alone(pipe, recipe)
    ours, engine_seconds = _draw(pipe, name, recipe)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "relative_error": float((ours - alone).norm() / alone.norm()),
        "engine_seconds": engine_seconds,
        "pipeline_seconds": pipeline_seconds,
        "peak_memory_gb": peak / 1e9,
    }


def _draw_alone(pipe: Any, recipe: Recipe) -> tuple[torch.Tensor, float]:
    from diffusers.schedulers.scheduling_euler_discrete import (  # noqa: PLC0415
        EulerDiscreteScheduler,
    )

    own, pipe.scheduler = pipe.scheduler, EulerDiscreteScheduler.from_config(pipe.scheduler.config)
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


def _draw(pipe: Any, name: str, recipe: Recipe) -> tuple[torch.Tensor, float]:
    """Draw with the engine, but without decoding. Return the latents and the seconds."""
    family = find_family_of(KINDS[name]).load_class()(pipe)
    model = describe_model(ModelSource(name), family, CPU)
    runner = ModelRunner(model, EngineOptions(rows=2))
    batch = Batch(runner, Capacity(model.info, 2))
    started = time.perf_counter()
    drawing = batch.join(GenerationRequest(1, recipe), lambda progress: None)
    [group] = batch._groups  # pyright: ignore[reportPrivateUsage]
    while not drawing.is_done:
        batch.tick()
    return group.get_latents(drawing), time.perf_counter() - started


if __name__ == "__main__":
    main()
