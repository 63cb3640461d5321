"""python -m benchmarks.families [--family flux …] [--full] [--side 256] [--device cpu] [--json]:
what a batch costs and gains.

Each model is thin: the family's transformer at full width with one block of each kind and random
weights, in float32 on the CPU, at 256 × 256 pixels. --full: the whole transformer. On a GPU, it
computes in bfloat16. For each family, the program prints

- overhead: the share of a step that the engine needs besides the transformer's forward pass,
- gain: how much sooner three people's requests of one picture are done in one batch than one after
  the other (1.0: no sooner),
- the seconds of a step with one request.

All are medians of 5 steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from benchmarks.memory import list_builders
from bot.domain.recipes import Recipe
from bot.engine import FAMILIES, GenerationRequest
from bot.engine.conditioning import Conditioning, Start
from bot.engine.hardware import CPU, Hardware, find_hardware
from bot.engine.sampling.samplers import Samplers
from bot.engine.sampling.step_tables import StepTables
from bot.engine.steps.groups import Drawing, Group
from bot.engine.steps.slots import Slots
from bot.engine.steps.steppers import Stepper

_NUM_STEPS = 5
_MAX_TOKENS = 128
"""The usual length of a text, in tokens, for families whose texts have different lengths."""

_TWO_KINDS = {"num_layers": 1, "num_single_layers": 1}
_NETWORKS: dict[str, tuple[str, dict[str, int]]] = {
    "sd3": ("sd35_medium", {"num_layers": 1}),
    "flux": ("flux", _TWO_KINDS),
    "chroma": ("chroma", _TWO_KINDS),
    "qwen_image": ("qwen_image", {"num_layers": 1}),
    "z_image": ("z_image", {"n_layers": 1, "n_refiner_layers": 1}),
    "flux2": ("flux2_klein_4b", _TWO_KINDS),
    "sana": ("sana", {"num_layers": 1}),
}
"""Each family's network in ``benchmarks.memory``, and what makes it thin."""

_PIXELS = {"sana": 32, "flux2": 16}
"""The side of a latent's pixel in pixels of the picture, if it is not 8."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", nargs="*", choices=_NETWORKS, default=list(_NETWORKS))
    parser.add_argument("--full", action="store_true", help="measure whole transformers")
    parser.add_argument("--side", type=int, default=256, help="of the pictures in pixels")
    parser.add_argument("--device", default="cpu", help="as DEVICE")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    hardware = find_hardware(arguments.device)
    report = {
        name: measure(name, hardware, arguments.side, is_full=arguments.full)
        for name in arguments.family
    }
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    words = "{}: overhead {overhead:.1%}, gain {gain:.2f}, {step_seconds:.2f} s a step alone\n"
    for name, figures in report.items():
        sys.stdout.write(words.format(name, **figures))


@torch.inference_mode()
def measure(
    name: str, hardware: Hardware = CPU, side: int = 256, *, is_full: bool = False
) -> dict[str, float]:
    """Time steps of one request and of three requests with one family."""
    model = _Model(name, hardware, side, is_full=is_full)
    alone, together = model.time(1), model.time(3)
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


class _Model:
    """A family with a transformer of random weights, and nothing else of its pipeline."""

    def __init__(self, name: str, hardware: Hardware, side: int, *, is_full: bool) -> None:
        network, thin = _NETWORKS[name]
        build = dict(list_builders())[network]
        self._device = torch.device(hardware.type)
        self._dtype = torch.float32 if hardware is CPU else torch.bfloat16
        torch.manual_seed(0)
        with self._device:
            model = partial(build, **({} if is_full else thin))().to(self._dtype).eval()
        family: Any = FAMILIES[name].load_class()
        self._family = family.__new__(family)  # without a pipeline, which it would read
        self._family.network = model
        self._hardware, self._side = hardware, side
        latent_side = side // _PIXELS.get(name, 8)
        self._latent = (self._family._count_channels(), latent_side, latent_side)
        varies = name in {"z_image", "qwen_image"}
        self._rows = self._family.row_shapes(_MAX_TOKENS if varies else None)
        self._num_rows = 1 if self._family.embeds_guidance else 2
        self._model_seconds = 0.0

    def time(self, num_requests: int) -> _Times:
        """Time the steps of some requests of one picture each."""
        slots = Slots(
            num_requests, self._latent, self._rows, device=self._device, dtype=self._dtype
        )
        stepper = Stepper(slots, self._family, self._forward)
        group = Group(self._side, self._side, slots, stepper, self._family.arrange_noise)
        for number in range(num_requests):
            self._join(group, number)

        def step() -> float:
            self._model_seconds = 0.0
            group.step(group.select(num_requests * self._num_rows), None)
            self._synchronize()
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
        self._synchronize()
        self._model_seconds += time.perf_counter() - started
        return result

    def _synchronize(self) -> None:
        if self._hardware is not CPU:
            self._hardware.module.synchronize()


if __name__ == "__main__":
    main()
