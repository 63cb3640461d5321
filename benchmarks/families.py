"""python -m benchmarks.families [--family flux …] [--json]: what a batch costs and gains.

Each model is thin: the family's transformer at full width with one block of each kind and random
weights, in float32 on the CPU, at 256 × 256 pixels. For each family, the program prints

- overhead: the share of a step that the engine needs besides the transformer's forward pass,
- gain: how much sooner three people's requests of one picture are done in one batch than one after
  the other (1.0: no sooner).

Both are medians of 5 steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import diffusers
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from bot.domain.recipes import Recipe
from bot.engine import FAMILIES, GenerationRequest
from bot.engine.conditioning import Conditioning, Start
from bot.engine.sampling.samplers import Samplers
from bot.engine.sampling.step_tables import StepTables
from bot.engine.steps.groups import Drawing, Group
from bot.engine.steps.slots import Slots
from bot.engine.steps.steppers import Stepper

_NUM_STEPS = 5
_SIDE = 256
_MAX_TOKENS = 128
"""The usual length of a text, in tokens, for families whose texts have different lengths."""

_THIN: dict[str, tuple[str, dict[str, Any]]] = {
    "sd3": (
        "SD3Transformer2DModel",
        {
            "sample_size": 128,
            "num_layers": 1,
            "attention_head_dim": 64,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 384,
            "qk_norm": "rms_norm",
        },
    ),
    "flux": (
        "FluxTransformer2DModel",
        {"num_layers": 1, "num_single_layers": 1, "guidance_embeds": True},
    ),
    "chroma": ("ChromaTransformer2DModel", {"num_layers": 1, "num_single_layers": 1}),
    "qwen_image": ("QwenImageTransformer2DModel", {"num_layers": 1}),
    "z_image": ("ZImageTransformer2DModel", {"n_layers": 1, "n_refiner_layers": 1}),
    "flux2": (
        "Flux2Transformer2DModel",
        {
            "num_layers": 1,
            "num_single_layers": 1,
            "num_attention_heads": 24,
            "joint_attention_dim": 7680,
        },
    ),
    "sana": ("SanaTransformer2DModel", {"num_layers": 1}),
}
"""Each family's transformer. Settings that are left out are those of its largest usual model."""

_PIXELS = {"sana": 32, "flux2": 16}
"""The side of a latent's pixel in pixels of the picture, if it is not 8."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", nargs="*", choices=_THIN, default=list(_THIN))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    report = {name: measure(name) for name in arguments.family}
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    words = "{}: overhead {overhead:.1%}, gain {gain:.2f}, {step_seconds:.2f} s a step alone\n"
    for name, figures in report.items():
        sys.stdout.write(words.format(name, **figures))


@torch.inference_mode()
def measure(name: str) -> dict[str, float]:
    """Time steps of one request and of three requests with one family."""
    thin = _Thin(name)
    alone, together = thin.time(1), thin.time(3)
    return {
        "overhead": together.overhead,
        "gain": 3 * alone.seconds / together.seconds,
        "step_seconds": alone.seconds,
    }


class _Times:
    """The medians of some steps. overhead: the share of a step outside the transformer."""

    def __init__(self, step: Callable[[], float]) -> None:
        shares, seconds = list[float](), list[float]()
        for _ in range(_NUM_STEPS):
            started = time.perf_counter()
            model_seconds = step()
            seconds.append(time.perf_counter() - started)
            shares.append(1 - model_seconds / seconds[-1])
        self.overhead = statistics.median(shares)
        self.seconds = statistics.median(seconds)


class _Thin:
    """A family with a thin transformer, and nothing else of its pipeline."""

    def __init__(self, name: str) -> None:
        kind, settings = _THIN[name]
        torch.manual_seed(0)
        network = getattr(diffusers, kind)(**settings).eval()
        family: Any = FAMILIES[name].load_class()
        self._family = family.__new__(family)  # without a pipeline, which it would read
        self._family.network = network
        side = _SIDE // _PIXELS.get(name, 8)
        self._latent = (self._family._count_channels(), side, side)
        varies = name in {"z_image", "qwen_image"}
        self._rows = self._family.row_shapes(_MAX_TOKENS if varies else None)
        self._num_rows = 1 if self._family.embeds_guidance else 2
        self._model_seconds = 0.0

    def time(self, num_requests: int) -> _Times:
        """Time the steps of some requests of one picture each."""
        cpu = torch.device("cpu")
        slots = Slots(num_requests, self._latent, self._rows, device=cpu, dtype=torch.float32)
        stepper = Stepper(slots, self._family, self._forward)
        group = Group(_SIDE, _SIDE, slots, stepper, self._family.arrange_noise)
        for number in range(num_requests):
            self._join(group, number)

        def step() -> float:
            self._model_seconds = 0.0
            group.step(group.select(num_requests * self._num_rows), None)
            return self._model_seconds

        step()  # the first one allocates memory
        return _Times(step)

    def _join(self, group: Group, number: int) -> None:
        scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
        num_steps = _NUM_STEPS + 1
        table = StepTables(Samplers(scheduler).create).get("euler", num_steps)
        recipe = Recipe("a dog", seeds=(number,), guidance_scale=4.0)
        drawing = Drawing(GenerationRequest(number, recipe), table, lambda progress: None)
        drawing.num_guided = num_steps if self._num_rows == 2 else 0
        start = Start(torch.randn(1, *self._latent), (torch.Generator(),))
        cond, uncond = (self._make_row() for _ in range(2))
        group.join(drawing, start, cond, uncond if self._num_rows == 2 else None)

    def _make_row(self) -> Conditioning:
        whole = {"mask", "length"}  # every token counts
        return Conditioning(
            {
                name: torch.ones(shape) if name in whole else torch.randn(shape)
                for name, shape in self._rows.items()
            }
        )

    def _forward(self, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        result = self._family.network(*args, **kwargs)
        self._model_seconds += time.perf_counter() - started
        return result


if __name__ == "__main__":
    main()
