"""Requests for engines in tests of the fleet."""

from __future__ import annotations

from bot.domain.recipes import Recipe
from bot.engine.api import GenerationRequest
from tests.fakes.engine import INFO


def make_recipe(num_steps: int = 4, side: int = 64, model: str | None = INFO.id) -> Recipe:
    return Recipe(
        prompt="dog",
        negative_prompt="",
        seeds=(1, 2, 3),
        width=side,
        height=side,
        num_inference_steps=num_steps,
        guidance_scale=3.0,
        sampler="ddim",
        model=model,
    )


def make_request(request_id: int, num_steps: int = 4, side: int = 64) -> GenerationRequest:
    return GenerationRequest(request_id, make_recipe(num_steps, side))
