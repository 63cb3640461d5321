"""python -m benchmarks.overhead [--rows 12] [--json]: the share of a step outside the model.

The model is one block of Stable Diffusion XL's UNet at full width, with random weights, at
256 × 256 pixels. The program prints which share of a step the engine needs besides the UNet's
forward pass: to choose the pictures, plan, gather, guide, and do the linear step. The share is the
median of 10 steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from bot.domain.recipes import Recipe
from bot.engine import GenerationRequest
from bot.engine.conditioning import Conditioning, Start
from bot.engine.models.stable_diffusion_xl import StableDiffusionXL
from bot.engine.sampling.samplers import Samplers
from bot.engine.sampling.step_tables import StepTables
from bot.engine.steps.groups import Drawing, Group
from bot.engine.steps.slots import Slots
from bot.engine.steps.steppers import Stepper

_LATENT = (4, 32, 32)
_ROWS = {"embeds": (77, 2048), "pooled": (1280,), "time_ids": (6,)}
_NUM_STEPS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    report = measure(arguments.rows)
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        words = "{overhead:.1%} of a step of {step_seconds:.2f} s with {rows} rows\n"
        sys.stdout.write(words.format(**report))


@torch.inference_mode()
def measure(num_rows: int) -> dict[str, float]:
    """Time the steps of as many guided pictures as fill ``num_rows`` rows."""
    unet = _build_block()
    model_seconds = 0.0

    def forward(*args: object, **kwargs: object) -> object:
        nonlocal model_seconds
        started = time.perf_counter()
        result = unet(*args, **kwargs)
        model_seconds += time.perf_counter() - started
        return result

    family = StableDiffusionXL.__new__(StableDiffusionXL)  # its network is never used
    slots = Slots(num_rows, _LATENT, _ROWS, device=torch.device("cpu"), dtype=torch.float32)
    stepper = Stepper(slots, family, forward)
    group = Group(256, 256, slots, stepper, family.arrange_noise)
    _join(group, num_rows // 2)
    shares, seconds = list[float](), list[float]()
    for _ in range(_NUM_STEPS):
        model_seconds, started = 0.0, time.perf_counter()
        group.step(group.select(num_rows), None)
        seconds.append(time.perf_counter() - started)
        shares.append(1 - model_seconds / seconds[-1])
    return {
        "rows": num_rows,
        "overhead": statistics.median(shares),
        "step_seconds": statistics.median(seconds),
    }


def _join(group: Group, num_pictures: int) -> None:
    from diffusers.schedulers.scheduling_euler_discrete import (  # noqa: PLC0415
        EulerDiscreteScheduler,
    )

    table = StepTables(Samplers(EulerDiscreteScheduler()).create).get("euler", _NUM_STEPS)
    seeds = tuple(range(num_pictures))
    recipe = Recipe("a dog", seeds=seeds, guidance_scale=5.0)
    drawing = Drawing(GenerationRequest(1, recipe), table, lambda progress: None)
    drawing.num_guided = _NUM_STEPS
    generators = tuple(torch.Generator().manual_seed(seed) for seed in seeds)
    start = Start(torch.randn(num_pictures, *_LATENT), generators)
    rows = [Conditioning({n: torch.randn(s) for n, s in _ROWS.items()}) for _ in range(2)]
    group.join(drawing, start, rows[0], rows[1])


def _build_block() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320,),
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        layers_per_block=2,
        attention_head_dim=5,
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    ).eval()


if __name__ == "__main__":
    main()
