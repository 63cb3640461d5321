"""From what a person typed to a recipe that the model can draw, or a sentence why not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.domain.recipes import Ask, Recipe
from bot.engine.api import GenerationRequest, ModelInfo
from bot.errors import UserError
from bot.recipes.presets import DEFAULT_PRESET, PRESETS
from bot.recipes.validate import MAX_SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_IN_ROW = 2**63 - 1


def compose_recipe(ask: Ask, random_seed: int) -> Recipe:
    """The recipe as far as it is known without the model; seeds are s, s+1, s+2 modulo 2³².

    What was typed goes before the preset.
    """
    name = ask.preset if ask.preset in PRESETS else DEFAULT_PRESET
    preset = PRESETS[name]
    first = ask.seed if ask.seed is not None else random_seed
    return Recipe(
        prompt=ask.prompt,
        negative_prompt=ask.negative_prompt,
        seeds=tuple((first + n) % (MAX_SEED + 1) for n in range(ask.num_images)),
        width=_fit_row(ask.width),
        height=_fit_row(ask.height),
        num_inference_steps=_fit_row(ask.num_inference_steps) or preset.num_inference_steps,
        guidance_scale=ask.guidance_scale,
        sampler=ask.sampler or preset.sampler,
        preset=name,
        guidance_until=preset.guidance_until,
        start=ask.start,
    )


def _fit_row(number: int | None) -> int | None:
    """The nearest number that the record can hold; such a prompt is refused, yet on record."""
    return None if number is None else max(-_MAX_IN_ROW, min(number, _MAX_IN_ROW))


def complete_recipe(recipe: Recipe, info: ModelInfo) -> Recipe:
    """Fill in the model's defaults and check the rest against it. Raises UserError."""
    complete = replace(
        recipe,
        width=recipe.width or info.width,
        height=recipe.height or info.height,
        num_inference_steps=recipe.num_inference_steps or info.num_inference_steps,
        guidance_scale=(
            info.guidance_scale if recipe.guidance_scale is None else recipe.guidance_scale
        ),
        sampler=recipe.sampler or info.default_sampler,
        model=info.name,
    )
    if complete.sampler not in info.samplers:
        raise UserError(
            f"The sampler “{complete.sampler}” does not fit the model {info.name}; "
            f"choose one of: {', '.join(info.samplers)}."
        )
    for side in (complete.width, complete.height):
        if side is not None and side % info.size_multiple:
            lower = side - side % info.size_multiple
            raise UserError(
                f"{info.name} draws sides that are multiples of {info.size_multiple}: "
                f"instead of {side} take {max(lower, info.size_multiple)} or "
                f"{lower + info.size_multiple}."
            )
    return complete


def compose_request(
    job_id: int, recipe: Recipe, image: NDArray[np.uint8] | None = None
) -> GenerationRequest:
    """The engine's request for a complete recipe. image: what it starts from, (H, W, 3) RGB."""
    assert recipe.width and recipe.height and recipe.num_inference_steps and recipe.sampler
    assert recipe.guidance_scale is not None
    is_enlarged = recipe.start is not None and recipe.start.is_enlarged
    return GenerationRequest(
        request_id=job_id,
        prompt="" if is_enlarged else recipe.prompt,
        negative_prompt=recipe.negative_prompt,
        width=recipe.width,
        height=recipe.height,
        num_inference_steps=recipe.num_inference_steps,
        guidance_scale=1.0 if is_enlarged else recipe.guidance_scale,
        sampler=recipe.sampler,
        seeds=recipe.seeds,
        image=image,
        strength=recipe.start.strength if recipe.start else 1.0,
        guidance_until=recipe.guidance_until,
        may_tile=is_enlarged,
    )
