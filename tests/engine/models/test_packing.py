"""Latents are packed as diffusers packs them."""

from __future__ import annotations

import torch
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline

from bot.engine.models.packing import pack, unpack, unpack_noise


def test_pack_is_that_of_diffusers_and_unpack_undoes_it() -> None:
    latents = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    tokens = pack(latents)
    assert torch.equal(tokens, FluxPipeline._pack_latents(latents, 2, 3, 4, 6))
    assert torch.equal(unpack(tokens, 4, 6), latents)


def test_noise_of_a_step_is_drawn_in_the_order_of_the_tokens() -> None:
    drawn = [
        torch.randn(1, *shape, generator=torch.manual_seed(0)) for shape in [(3, 4, 6), (6, 12)]
    ]
    assert torch.equal(pack(unpack_noise(drawn[0])), drawn[1])
