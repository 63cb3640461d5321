"""Turns what a person typed into a recipe that the model can draw, or says why it cannot."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from bot.domain.recipes import Ask, Recipe, StartPicture
from bot.domain.samplers import find_sampler
from bot.engine.api import ModelInfo
from bot.errors import UserError
from bot.recipes.presets import DEFAULT_PRESET, PRESETS
from bot.recipes.validate import MAX_SEED, check_is_known
from bot.texts.codes import Code
from bot.texts.reasons import because

MAX_AREA = 4
"""A picture with this many times the model's own area, or more, repeats its subject."""


def compose_recipe(ask: Ask, random_seed: int) -> Recipe:
    """Return the recipe as far as it is known without the model; seeds are s, s+1, s+2 modulo 2³².

    Typed values take precedence over the preset. ``complete_recipe`` fills in the preset's steps
    and sampler later, because only some models can use them.
    """
    name = ask.preset if ask.preset in PRESETS else DEFAULT_PRESET
    preset = PRESETS[name]
    first = ask.seed if ask.seed is not None else random_seed
    chosen = {choice: _fit_row(value) for choice, value in ask.choices().items()}
    typed = chosen["sampler"]  # keep an unknown sampler as it was typed; it is refused later
    chosen["sampler"] = find_sampler(typed or "") or typed
    return Recipe(
        **chosen,
        seeds=tuple((first + n) % (MAX_SEED + 1) for n in range(ask.num_images)),
        preset=name,
        guidance_until=preset.guidance_until,
        # The rules judge only the prompt, so the words that are shown must be part of it.
        own_words=ask.own_words if ask.own_words and ask.own_words in ask.prompt else None,
        model=ask.model,
    )


def _fit_row(value: Any) -> Any:
    """Replace infinity and NaN, which the database cannot store. It stores refused prompts too."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case StartPicture() if not math.isfinite(value.strength):
            return replace(value, strength=1.0)
    return value


def complete_recipe(recipe: Recipe, info: ModelInfo) -> Recipe:
    """Fill in the model's defaults, and check that it can draw the recipe. Raises UserError."""
    check_is_known(recipe)
    if recipe.start is not None and recipe.start.upscaled:
        return _complete_upscaling(recipe, recipe.start.upscaled, info)
    if recipe.is_edit and not info.edits:
        raise UserError(because(Code.MODEL_EDITS_NOTHING, model=info.name))
    if info.only_edits and not recipe.is_edit:
        raise UserError(because(Code.MODEL_ONLY_EDITS, model=info.name))
    preset = PRESETS.get(recipe.preset, PRESETS[DEFAULT_PRESET])
    if info.is_distilled:  # a distilled model draws best with its own steps, and is fast anyway
        preset, recipe = PRESETS[DEFAULT_PRESET], replace(recipe, guidance_until=1.0)
    own_steps = preset.num_inference_steps or info.num_inference_steps
    own_sampler = preset.sampler if preset.sampler in info.samplers else info.default_sampler
    complete = replace(
        recipe,
        width=recipe.width or info.width,
        height=recipe.height or info.height,
        num_inference_steps=recipe.num_inference_steps or own_steps,
        guidance_scale=(
            info.guidance_scale if recipe.guidance_scale is None else recipe.guidance_scale
        ),
        sampler=recipe.sampler or own_sampler,
        model=info.id,
    )
    if complete.sampler not in info.samplers:
        named = {"sampler": complete.sampler, "known": info.samplers}
        raise UserError(because(Code.SAMPLER_NOT_OF_MODEL, model=info.name, **named))
    if complete.clip_skip is not None and complete.clip_skip > info.max_clip_skip:
        bounds = {"least": 0, "most": info.max_clip_skip}
        raise UserError(because(Code.OUT_OF_RANGE, parameter="clip_skip", **bounds))
    multiple = info.size_multiple
    for side in (complete.width, complete.height):
        if side is not None and side % multiple:
            lower = side - side % multiple
            sides = {"side": side, "lower": max(lower, multiple), "upper": lower + multiple}
            raise UserError(
                because(Code.SIDE_NOT_OF_MODEL, model=info.name, multiple=multiple, **sides)
            )
    _check_area(complete, info)
    factor = info.find_shown_factor(*complete.size)
    upscaler = info.upscaler.name if info.upscaler and factor else None
    return replace(complete, upscaler=upscaler, upscale_factor=factor)


def _check_area(recipe: Recipe, info: ModelInfo) -> None:
    width, height = recipe.size
    if not recipe.is_enlarged and width * height >= MAX_AREA * info.width * info.height:
        own = {"own_width": info.width, "own_height": info.height}
        named = {"model": info.name, "width": width, "height": height, **own}
        raise UserError(because(Code.AREA_NOT_OF_MODEL, **named))


def _complete_upscaling(recipe: Recipe, factor: int, info: ModelInfo) -> Recipe:
    """Fill in and check the upscaler; any model may have drawn the picture. Raises UserError."""
    if info.upscaler is None or factor not in info.upscaler.factors:
        raise UserError(because(Code.UPSCALER_CHANGED))
    upscaler = info.upscaler.name
    model = recipe.model or info.id
    return replace(recipe, model=model, upscaler=upscaler, upscale_factor=factor)
