"""Makes new asks from a finished job: again, varied or enlarged."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.jobs import Job
from bot.domain.recipes import Ask, StartPicture
from bot.engine.api import NUM_IMAGES
from bot.recipes.validate import check_is_known

VARY_STRENGTH = 0.6
UPSCALE_STRENGTH = 0.2
UPSCALE_FACTOR = 2


def compose_again(job: Job) -> Ask:
    """Ask for the same recipe with new seeds. It starts from the same upload, if there was one.

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
    )


def compose_base(job: Job) -> Ask:
    """Return the ask that variations and changes begin with, at the size before any enlarging."""
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
    """Ask for three variations of one picture."""
    return replace(
        compose_base(job),
        start=StartPicture(job.job_id, panel, VARY_STRENGTH),
        num_images=NUM_IMAGES,
        press=f"vary:{job.job_id}:{panel}",
    )


def compose_upscale(job: Job, panel: int) -> Ask:
    """Ask for one picture with sides twice as long: a second, short pass over the enlarged one."""
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
