"""Two forms: one to change a recipe, one to draw from a picture with a new prompt."""

from __future__ import annotations

from dataclasses import replace

import discord
from discord import app_commands

from bot.chat.client import TriptychClient
from bot.chat.interactions import (
    answer_gone,
    fetch_job,
    fetch_job_of,
    fetch_models,
    fetch_with_picture,
    submit,
)
from bot.chat.offers import anywhere
from bot.chat.parsing import parse_number, parse_seed, parse_size
from bot.domain.jobs import Job
from bot.domain.recipes import Ask, StartPicture
from bot.engine.api import NUM_IMAGES
from bot.errors import UserError
from bot.recipes.derive import compose_base
from bot.recipes.presets import DEFAULT_STRENGTH
from bot.texts import recipes as texts
from bot.views import recipes as recipe_views
from bot.views.components import JobModal, open_form
from bot.views.recipes import describe_settings

Press = discord.Interaction[TriptychClient]


async def open_remix(interaction: Press, job_id: int, panel: int) -> None:
    """Open the form with the recipe filled in."""
    await open_form(interaction, "remix", job_id, panel)


async def compose_remix(interaction: Press, job_id: int, panel: int) -> JobModal | None:
    """Build the form for Remix, filled in with the recipe."""
    job = await fetch_job(interaction, job_id)
    if job.deleted_at is not None:
        await answer_gone(interaction, job)
        return None
    return recipe_views.compose_remix_form(job, *await fetch_models(interaction))


async def send_remix(interaction: Press, job_id: int, panel: int, fields: dict[str, str]) -> None:
    """Hand the changed recipe to intake, like a typed command."""
    job = await fetch_job(interaction, job_id)
    if job.deleted_at is not None:
        await answer_gone(interaction, job)
        return
    base, prompt = compose_base(job), fields.get("prompt", "")
    model = fields.get("model") or base.model
    if model != base.model:  # a model that was just chosen has other usual values
        fields = _leave_unchanged(job, fields)
    width, height = parse_size(fields.get("size"))
    steps, guidance, sampler, seed = _parse_settings(fields.get("settings", ""))
    ask = replace(
        base,
        prompt=prompt,
        # A prompt that was changed in the form counts as the member's own words.
        own_words=base.own_words if prompt == base.prompt else None,
        negative_prompt=fields.get("negative", ""),
        width=width,
        height=height,
        seed=parse_seed(fields.get("seed") or seed),
        num_inference_steps=steps,
        guidance_scale=guidance,
        sampler=sampler,
        # the form has no field for it, and another model may not allow it
        clip_skip=base.clip_skip if model == base.model else None,
        num_images=NUM_IMAGES,
        press="",
        model=model,
    )
    await submit(interaction, ask)


def _leave_unchanged(job: Job, fields: dict[str, str]) -> dict[str, str]:
    """Leave out the size and the settings that are still those of the recipe."""
    base = compose_base(job)
    present = [part.strip() for part in describe_settings(job.recipe).split("/")]
    typed = [part.strip() for part in fields.get("settings", "").split("/")]
    kept = [part if part not in present[n : n + 1] else "" for n, part in enumerate(typed)]
    size = fields.get("size", "")
    return fields | {
        "settings": " / ".join(kept),
        "size": "" if size.strip() == f"{base.width}x{base.height}" else size,
    }


async def open_start(interaction: Press, job_id: int, panel: int) -> None:
    """Open the form for a prompt and a strength."""
    await open_form(interaction, "start", job_id, panel)


async def compose_start(interaction: Press, job_id: int, panel: int) -> JobModal | None:
    """Build the form for a prompt and a strength."""
    job = await fetch_with_picture(interaction, job_id, panel)
    return job and recipe_views.compose_start_form(job, panel)


async def send_start(interaction: Press, job_id: int, panel: int, fields: dict[str, str]) -> None:
    """Draw from the picture that the form is about (image-to-image)."""
    job = await fetch_with_picture(interaction, job_id, panel)
    if job is None:
        return
    strength = parse_number(fields.get("strength", ""), texts.NO_STRENGTH)
    start = StartPicture(job_id, panel, DEFAULT_STRENGTH if strength is None else strength)
    base = compose_base(job)
    offered, _ = await fetch_models(interaction)
    ask = Ask(
        fields.get("prompt", ""),
        fields.get("negative", ""),
        width=base.width,
        height=base.height,
        start=start,
        model=base.model if any(each.id == base.model for each in offered) else None,
    )
    await submit(interaction, ask)


def _parse_settings(text: str) -> tuple[int | None, float | None, str | None, str]:
    """Read "30 / 7.5 / ddim / 42": steps, guidance, sampler and seed. Raises UserError.

    Missing values get the model's default. The seed is returned as it was typed.
    """
    parts = [part.strip() for part in text.split("/")]
    if len(parts) > 4:
        raise UserError(texts.TOO_MANY_SETTINGS())
    steps, guidance, sampler, seed = [*parts, "", "", ""][:4]
    count = parse_number(steps, texts.NO_NUMBER_OF_STEPS)
    return (
        None if count is None else int(count),
        parse_number(guidance, texts.NO_GUIDANCE),
        sampler.lower() or None,
        seed,
    )


@app_commands.context_menu(name="Remix")
@anywhere
async def remix_message(interaction: Press, message: discord.Message) -> None:
    """Answer *Apps → Remix* on a message with a grid."""
    job = await fetch_job_of(interaction, message.id)
    await open_remix(interaction, job.job_id, 0)


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    bot.add_button_action("remix", open_remix)
    bot.add_button_action("start", open_start)
    bot.add_form("remix", compose_remix, send_remix)
    bot.add_form("start", compose_start, send_start)
    bot.tree.add_command(remix_message)
