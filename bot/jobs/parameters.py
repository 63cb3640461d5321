"""From what a person typed to a recipe that the model can draw, or a sentence why not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.engine.face import NUM_IMAGES, SAMPLER_IDS, GenerationRequest, ModelInfo
from bot.errors import UserError
from bot.records import Ask, Job, Recipe, StartPicture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_SEED = 2**32 - 1
MAX_GUIDANCE_SCALE = 30.0
DEFAULT_STRENGTH = 0.7
VARY_STRENGTH = 0.6
UPSCALE_STRENGTH = 0.2
UPSCALE_FACTOR = 2
_MIN_SIDE_PIXELS = 64
_MAX_IN_ROW = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ParameterLimits:
    """The owner's bounds, whatever the model could do."""

    max_prompt_length: int
    max_num_inference_steps: int
    max_side_pixels: int


@dataclass(frozen=True, slots=True)
class Preset:
    """Values for what a member leaves open; None leaves it to the model.

    guidance_until: the share of the steps that are guided; the others cost half.
    """

    description: str
    sampler: str | None = None
    num_inference_steps: int | None = None
    guidance_until: float = 1.0


DEFAULT_PRESET = "quality"
PRESETS = {
    "quality": Preset("the model's own sampler and steps, exactly as diffusers draws them"),
    "fast": Preset(
        "DPM++ 2M Karras, 20 steps, no guidance in the last 40 %: sooner, and other pictures",
        sampler="dpmpp_2m_karras",
        num_inference_steps=20,
        guidance_until=0.6,
    ),
}


def check_ask(ask: Ask, limits: ParameterLimits) -> None:
    """What can be said without knowing the model. Raises UserError."""
    if not ask.prompt:
        raise UserError("The prompt is empty. Say what to draw, for example: dog in autumn leaves.")
    for name, text in (("prompt", ask.prompt), ("negative prompt", ask.negative_prompt)):
        if len(text) > limits.max_prompt_length:
            raise UserError(
                f"The {name} has {len(text):,} characters; the most is "
                f"{limits.max_prompt_length:,}. Nothing was drawn; please shorten it."
            )
    steps = ask.num_inference_steps
    if steps is not None and not 1 <= steps <= limits.max_num_inference_steps:
        raise UserError(
            f"{steps:,} steps cannot be drawn here; choose from 1 to "
            f"{limits.max_num_inference_steps}."
        )
    guidance = ask.guidance_scale
    if guidance is not None and not (
        math.isfinite(guidance) and 0 <= guidance <= MAX_GUIDANCE_SCALE
    ):
        raise UserError(
            f"A guidance of {guidance:g} cannot be used; choose from 0 to {MAX_GUIDANCE_SCALE:g}."
        )
    if ask.seed is not None and not 0 <= ask.seed <= MAX_SEED:
        raise UserError(
            f"The seed {ask.seed} cannot be used; choose a whole number from 0 to {MAX_SEED:,}."
        )
    for side in (ask.width, ask.height):
        if side is not None and not _MIN_SIDE_PIXELS <= side <= limits.max_side_pixels:
            raise UserError(
                f"A side of {side:,} pixels cannot be drawn here; choose from "
                f"{_MIN_SIDE_PIXELS} to {limits.max_side_pixels}."
            )
    if ask.start is not None and not 0 < ask.start.strength <= 1:
        raise UserError(
            f"A strength of {ask.start.strength:g} cannot be used; choose more than 0 and at most "
            "1. Low keeps the picture, high follows the prompt."
        )
    _check_names(ask)


def _check_names(ask: Ask) -> None:
    for kind, name, known in (
        ("sampler", ask.sampler, SAMPLER_IDS),
        ("preset", ask.preset, tuple(PRESETS)),
    ):
        if name is not None and name not in known:
            raise UserError(f"There is no {kind} “{name}”. Known are: {', '.join(known)}.")


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


def compose_again(job: Job) -> Ask:
    """The same recipe with new seeds; an upload that it started from is the same one."""
    recipe, start = job.recipe, job.recipe.start
    return Ask(
        prompt=recipe.prompt,
        negative_prompt=recipe.negative_prompt,
        width=recipe.width,
        height=recipe.height,
        num_inference_steps=recipe.num_inference_steps,
        guidance_scale=recipe.guidance_scale,
        sampler=recipe.sampler,
        preset=recipe.preset,
        start=start and replace(start, job_id=start.job_id or job.job_id),
        num_images=len(recipe.seeds),
        press=f"reroll:{job.job_id}",
    )


def compose_base(job: Job) -> Ask:
    """What variations and changes begin with: an enlarged picture goes back to its first size."""
    again, start = compose_again(job), job.recipe.start
    if start is None or not start.is_enlarged:
        return again
    factor = UPSCALE_FACTOR**start.num_doublings
    return replace(
        again,
        width=again.width and again.width // factor,
        height=again.height and again.height // factor,
        start=None,
    )


def compose_variation(job: Job, panel: int) -> Ask:
    """Three siblings of one picture."""
    return replace(
        compose_base(job),
        start=StartPicture(job.job_id, panel, VARY_STRENGTH),
        num_images=NUM_IMAGES,
        press=f"vary:{job.job_id}:{panel}",
    )


def compose_upscale(job: Job, panel: int) -> Ask:
    """One picture with twice the sides: a second, short pass over the enlarged one.

    Without prompt and guidance: at a size that the model was not made for, a prompt would put
    its subject into the picture once more.
    """
    recipe = job.recipe
    num_doublings = 1 + (recipe.start.num_doublings if recipe.start else 0)
    return replace(
        compose_again(job),
        width=recipe.width and recipe.width * UPSCALE_FACTOR,
        height=recipe.height and recipe.height * UPSCALE_FACTOR,
        seed=recipe.seeds[panel - 1],
        start=StartPicture(job.job_id, panel, UPSCALE_STRENGTH, num_doublings),
        num_images=1,
        press=f"upscale:{job.job_id}:{panel}",
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
