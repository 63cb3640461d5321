"""Makes a new request (``Ask``) from a finished job, to redraw, vary or enlarge it."""

from __future__ import annotations

import math
from dataclasses import replace

from bot.domain.jobs import Job
from bot.domain.recipes import Ask, StartPicture
from bot.engine.api import NUM_IMAGES, ModelInfo, UpscalerInfo
from bot.recipes.validate import check_is_known

VARY_STRENGTH = 0.6
REDRAW_STRENGTH = 0.2
REDRAW_FACTOR = 2


def compose_again(job: Job) -> Ask:
    """Ask for the same recipe with new seeds, and with the same upload if it has one.

    Raises UserError if a newer version of Triptych made the recipe.
    """
    recipe, start = job.recipe, job.recipe.start
    check_is_known(recipe)
    chosen = recipe.choices()
    chosen["start"] = start and replace(start, job_id=start.job_id or job.job_id)
    return Ask(
        **chosen,
        preset=recipe.preset,
        num_images=len(recipe.seeds),
        press=f"reroll:{job.job_id}",
        own_words=recipe.own_words,
        model=recipe.model,
    )


def compose_base(job: Job) -> Ask:
    """Return the ask for variations and remixes, with the size before the picture was enlarged."""
    again, start = compose_again(job), job.recipe.start
    if start is None or not start.is_enlarged:
        return again
    return replace(
        again,
        width=again.width and again.width // start.factor,
        height=again.height and again.height // start.factor,
        start=None,
    )


def compose_variation(job: Job, panel: int) -> Ask:
    """Ask for three variations of one picture."""
    return replace(
        compose_base(job),
        start=StartPicture(job.job_id, panel, VARY_STRENGTH),
        num_images=NUM_IMAGES,
        press=f"vary:{job.job_id}:{panel}",
    )


def compose_redraw(job: Job, panel: int) -> Ask:
    """Ask to enlarge one picture twofold and then draw over it in a second, short pass."""
    start = StartPicture(job.job_id, panel, REDRAW_STRENGTH, _find_factor(job) * REDRAW_FACTOR)
    press = f"redraw:{job.job_id}:{panel}"
    return replace(_compose_larger(job, panel, REDRAW_FACTOR), start=start, press=press)


def compose_upscale(job: Job, panel: int, upscaler: UpscalerInfo, max_side_pixels: int) -> Ask:
    """Ask the upscaler to enlarge one picture, as far as the limit for the longest side allows.

    The upscaler enlarges the picture that people see. If even the smallest factor exceeds the
    limit, the ask will be refused later.
    """
    recipe = job.recipe
    side = max(recipe.size) * recipe.shown_factor
    fitting = (factor for factor in upscaler.factors if side * factor <= max_side_pixels)
    upscaled = next(fitting, upscaler.factors[-1])
    factor = recipe.shown_factor * upscaled
    start = StartPicture(job.job_id, panel, 0.0, _find_factor(job) * factor, upscaled)
    press = f"upscale:{job.job_id}:{panel}"
    return replace(_compose_larger(job, panel, factor), start=start, press=press)


def compose_edit(job: Job, panel: int, instruction: str) -> Ask:
    """Ask to change one picture as an instruction says, at the size before it was enlarged."""
    base = compose_base(job)
    return Ask(
        instruction,
        width=base.width,
        height=base.height,
        start=StartPicture(job.job_id, panel, 1.0, edited=True),
    )


def fit_shape(ask: Ask, info: ModelInfo) -> Ask:
    """Return the ask with the model's size whose shape is most like the ask's width and height."""
    if not ask.width or not ask.height:
        return ask
    shape = math.log(ask.width / ask.height)
    sizes = ((info.width, info.height), *info.sizes)
    width, height = min(sizes, key=lambda size: abs(math.log(size[0] / size[1]) - shape))
    return replace(ask, width=width, height=height)


def _find_factor(job: Job) -> int:
    """Return how many times longer the sides of a job's pictures are than when first drawn."""
    return job.recipe.start.factor if job.recipe.start else 1


def _compose_larger(job: Job, panel: int, factor: int) -> Ask:
    recipe = job.recipe
    return replace(
        compose_again(job),
        width=recipe.width and recipe.width * factor,
        height=recipe.height and recipe.height * factor,
        seed=recipe.seeds[panel - 1],
        num_images=1,
    )
