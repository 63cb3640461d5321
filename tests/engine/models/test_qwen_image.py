"""What is special in Qwen-Image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from bot.engine.models.families import FAMILIES
from bot.engine.models.flop import count_network_flop
from tests.engine.flow_pair import FlowPair
from tests.engine.test_flow_families import LONG, ask


@pytest.fixture
def pair(open_pair: Callable[[str], FlowPair]) -> FlowPair:
    return open_pair("qwen_image")


def test_guidance_does_not_change_pictures_without_guidance(pair: FlowPair) -> None:
    """Their two predictions are the same, and the scale is 1."""
    same = torch.randn(2, 4, 8, 8)
    same[1, :, :2, :2] = 0  # a token without length
    assert torch.equal(pair.family.guide(same, same, torch.ones(2)), same)


def test_each_token_keeps_the_length_that_it_has_with_the_prompt(pair: FlowPair) -> None:
    uncond, cond = torch.randn(2, 1, 4, 8, 6).unbind()
    guided = pair.family.guide(uncond, cond, torch.tensor([7.0]))
    lengths = [each[:, :, 2:4, 4:6].norm() for each in (guided, cond)]
    torch.testing.assert_close(*lengths)
    assert not torch.allclose(guided, cond)


def test_without_a_negative_prompt_it_is_a_space(pair: FlowPair) -> None:
    request = ask(pair)
    _, space = pair.family.encode(replace(request.recipe, negative_prompt=" "))
    _, none = pair.family.encode(request.recipe)
    assert torch.equal(space.tensors["embeds"], none.tensors["embeds"])


def test_sizes_and_texts_in_one_batch_keep_their_own_schedule(pair: FlowPair) -> None:
    """mu depends on the size of the picture."""
    requests = [
        ask(pair, 1, prompt=LONG, num_inference_steps=3),
        ask(pair, 2, width=128, height=96, num_inference_steps=2, guidance_scale=2.0),
        ask(pair, 3, num_inference_steps=5, guidance_scale=1.5, negative_prompt="sea"),
    ]
    assert len({pair.family.schedule(each.recipe).mu for each in requests}) == 2
    pair.check(requests)


def test_vae_gives_a_preview_of_each_latent(pair: FlowPair) -> None:
    preview = pair.family.find_preview()
    assert preview.render(torch.randn(1, 4, 8, 6)).shape == (1, 8, 6, 3)


@pytest.mark.parametrize("name", ["qwen_image", "z_image"])
def test_flop_of_equal_layers_are_counted_once(
    name: str, open_pair: Callable[[str], FlowPair]
) -> None:
    family = open_pair(name).family
    latent, rows = family.latent_shape(64, 64), family.row_shapes()
    assert count_network_flop(
        family.network, latent, rows, family.predict, family.layer_counts
    ) == count_network_flop(family.network, latent, rows, family.predict)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Qwen-Image-Lightning", ("Lightning", 8, 1.0)),
        ("Qwen-Image-Lightning-4steps-V1.0", ("Lightning", 4, 1.0)),
        ("Qwen-Image-Distill-Full", ("Distill", 15, 1.0)),
        ("Qwen-Image-2512", None),
    ],
)
def test_distilled_models_are_recognised_by_their_names(
    pair: FlowPair, name: str, expected: tuple[str, int, float] | None
) -> None:
    few = pair.family.find_few_steps(name)
    found = few and (few.label, few.num_inference_steps, few.guidance_scale)
    assert found == expected


@pytest.mark.parametrize(
    ("transformer", "vae", "fault"),
    [
        ({}, {}, None),
        ({"zero_cond_t": True}, {}, "for editing"),
        ({"use_layer3d_rope": True}, {}, "transparent layers"),
        ({"guidance_embeds": True}, {}, "embedded guidance"),
        ({}, {"input_channels": 4}, "transparent layers"),
        ({"in_channels": 128}, {}, "128 channels, as for inpainting"),
        ({"in_channels": 64}, {"z_dim": 48}, "16 channels, and its VAE makes 48"),
    ],
)
def test_other_kinds_are_refused(
    transformer: dict[str, Any], vae: dict[str, Any], fault: str | None
) -> None:
    found = FAMILIES["qwen_image"].find_fault(transformer, vae)
    assert found == fault or (fault and found and fault in found)
