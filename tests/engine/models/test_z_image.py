"""What is special in Z-Image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from bot.engine.models.families import FAMILIES
from bot.engine.models.z_image import _count_tokens
from tests.engine.flow_pair import FlowPair
from tests.engine.test_flow_families import ask


@pytest.fixture
def pair(open_pair: Callable[[str], FlowPair]) -> FlowPair:
    return open_pair("z_image")


@pytest.mark.parametrize(("scale", "rows"), [(0.0, 1), (1.0, 1), (1.2, 2), (6.0, 2)])
def test_scale_of_one_is_no_guidance_as_in_other_families(
    pair: FlowPair, scale: float, rows: int
) -> None:
    """The pipeline's own scale is smaller by one: see ``FlowPair.draw_alone``."""
    request = ask(pair, guidance_scale=scale, num_inference_steps=2)
    _, uncond = pair.family.encode(request.recipe)
    assert 1 + (uncond is not None) == rows == pair.info.count_rows(scale)
    pair.check([request])


def test_defaults_are_those_of_the_pipeline(pair: FlowPair) -> None:
    assert (pair.info.guidance_scale - 1, pair.info.num_inference_steps) == (5.0, 50)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Z-Image-Turbo", ("Turbo", 8, 1.0)),
        ("z_image_turbo_4step", ("Turbo", 4, 1.0)),
        ("Z-Image", None),
        ("Z-Image-De-Turbo", None),
    ],
)
def test_turbo_is_recognised_by_its_name(
    pair: FlowPair, name: str, expected: tuple[str, int, float] | None
) -> None:
    few = pair.family.find_few_steps(name)
    found = few and (few.label, few.num_inference_steps, few.guidance_scale)
    assert found == expected


@pytest.mark.parametrize(
    ("transformer", "vae", "fault"),
    [
        ({}, {"latent_channels": 16}, None),
        ({"siglip_feat_dim": 1152}, {"latent_channels": 16}, "asks for pictures"),
        ({"in_channels": 33}, {"latent_channels": 16}, "33 channels, and its VAE makes 16"),
    ],
)
def test_other_kinds_are_refused(
    transformer: dict[str, Any], vae: dict[str, Any], fault: str | None
) -> None:
    found = FAMILIES["z_image"].find_fault(transformer, vae)
    assert found == fault or (fault and found and fault in found)


def test_tokens_are_counted_exactly_in_bfloat16() -> None:
    mask = torch.zeros(3, 512, dtype=torch.bfloat16)
    mask[0, :301] = mask[1, :512] = 1
    assert _count_tokens(mask) == [301, 512, 1]
