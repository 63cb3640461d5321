"""Each flow family draws the pictures of its diffusers pipeline, beside others as well as alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bot.engine import GenerationRequest, ModelSource
from bot.engine.models.checks import check_model
from bot.engine.steps.steppers import CompiledNetwork
from tests.engine.conftest import make_request
from tests.engine.flow_pair import FlowPair

NAMES = ("sd3", "flux", "flux_schnell", "chroma", "z_image", "qwen_image", "flux2", "sana")
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
LONG = "a dog in the autumn leaves under an old tree by the sea in the soft light of the morning"


@pytest.fixture(params=NAMES)
def pair(request: pytest.FixtureRequest, open_pair: Callable[[str], FlowPair]) -> FlowPair:
    return open_pair(request.param)


def ask(pair: FlowPair, request_id: int = 1, **changes: object) -> GenerationRequest:
    defaults = {
        "prompt": "a dog",
        "width": 64,
        "height": 64,
        "sampler": pair.info.default_sampler,
        "num_inference_steps": 4,
        "guidance_scale": 4.0,
        "seeds": (7,),
    }
    return make_request(request_id=request_id, **{**defaults, **changes})


@pytest.mark.parametrize("name", NAMES)
def test_check_describes_the_folder(name: str, tiny_family: Callable[[str], Path]) -> None:
    [line] = check_model(ModelSource(str(tiny_family(name))), thorough=True)
    assert "a diffusers folder" in line


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"negative_prompt": "a cat in the sea"},
        {"guidance_scale": 1.0},
        {"width": 96, "height": 64},
        {"prompt": ""},
        {"prompt": LONG, "num_inference_steps": 3},
        {"seeds": (1, 2, 3)},
    ],
    ids=str,
)
def test_family_draws_what_its_pipeline_draws(pair: FlowPair, changes: dict[str, Any]) -> None:
    pair.check([ask(pair, **changes)])


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpmpp_2m", "deis", "unipc", "lcm"])
def test_every_sampler_draws_what_diffusers_draws(pair: FlowPair, sampler: str) -> None:
    if sampler not in pair.info.samplers:
        pytest.skip(f"{sampler} is not offered for {pair.info.name}")
    pair.check([ask(pair, sampler=sampler, num_inference_steps=5)])


@pytest.mark.parametrize("strength", [0.3, 0.55, 1.0])
def test_family_draws_from_a_picture_what_its_pipeline_draws(
    pair: FlowPair, strength: float
) -> None:
    pair.check([ask(pair, image=IMAGE, strength=strength)])


def test_network_can_be_replaced_by_a_compiled_one(pair: FlowPair) -> None:
    """It counts the rows of its first argument."""
    family = pair.family
    latents = torch.randn(2, *family.latent_shape(64, 64), dtype=torch.float64)
    rows = {n: torch.rand(2, *s, dtype=torch.float64) for n, s in family.row_shapes().items()}
    times = torch.tensor([900.0, 300.0], dtype=torch.float64)
    with torch.no_grad():
        predicted = [
            family.predict(network, latents, times, rows)
            for network in (family.network, CompiledNetwork(family))
        ]
    assert torch.equal(*predicted)


def test_rows_of_different_people_do_not_mix(pair: FlowPair) -> None:
    """Other samplers, steps, guidance, text lengths and sizes join in between; one is cancelled."""
    samplers = [each for each in ("dpmpp_2m", "heun") if each in pair.info.samplers]
    other = samplers[0] if samplers else pair.info.default_sampler
    requests = [
        ask(pair, 1, num_inference_steps=6),
        ask(pair, 2, prompt=LONG, guidance_scale=2.0, seeds=(8, 9), sampler=other),
        ask(pair, 3, prompt="hat", guidance_scale=1.0, num_inference_steps=3, seeds=(4,)),
        ask(pair, 4, width=96, seeds=(5,), negative_prompt="sea"),
        ask(pair, 5, image=IMAGE, strength=0.6, sampler=samplers[-1] if samplers else other),
    ]
    pair.check(
        requests, cancelled=[ask(pair, 9, prompt="a car", seeds=(6, 7), num_inference_steps=20)]
    )
