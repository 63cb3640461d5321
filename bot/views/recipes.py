"""How single pictures, recipes and forms look."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import discord

from bot.domain.jobs import Job
from bot.recipes.derive import compose_base
from bot.recipes.presets import DEFAULT_STRENGTH
from bot.views import jobs as job_views
from bot.views.components import JobButton, JobModal

_FORM_TEXT_MAX = 4000
_TOLD = {
    *("prompt", "negative_prompt", "seeds", "width", "height", "num_inference_steps", "sampler"),
    *("guidance_scale", "guidance_until", "preset", "model", "start", "version"),
}
"""Of a recipe, what has its place in the text; what else there is stands at its end."""
_LONG_PROMPT = 700  # quoted twice as long at most, and two of them must fit into one message


def compose_single(job: Job, panel: int, file_name: str) -> discord.ui.LayoutView:
    """One picture alone, at full size."""
    gallery = discord.ui.MediaGallery(
        discord.MediaGalleryItem(
            f"attachment://{file_name}",
            description=job_views.describe_panel(job, panel),
            spoiler=job.spoiler,
        )
    )
    note = f"-# Picture {panel} of #{job.job_id} · seed {job.recipe.seeds[panel - 1]}"
    row = job_views.compose_single_row(job.job_id, panel, is_shown=True)
    return job_views.compose_view(job_views.compose_title(job), gallery, note, row)


def compose_recipe(
    job: Job, *buttons: JobButton, head: str = ""
) -> tuple[discord.ui.LayoutView, list[discord.File]]:
    """Everything needed to draw a job again; prompts too long for a message come as a file."""
    recipe = job.recipe
    is_long = max(len(recipe.prompt), len(recipe.negative_prompt)) > _LONG_PROMPT
    lines = [
        head,
        f"**Recipe of #{job.job_id}** · <@{job.origin.user_id}> · <t:{job.accepted_at:.0f}:f>",
        f"prompt: {job_views.quote(recipe.prompt, _LONG_PROMPT)}",
        f"negative prompt: {job_views.quote(recipe.negative_prompt, _LONG_PROMPT) or 'none'}",
        f"seeds: {', '.join(map(str, recipe.seeds))}",
        f"size: {recipe.width}x{recipe.height} · steps: {recipe.num_inference_steps} · "
        f"guidance: {recipe.guidance} · sampler: {recipe.sampler} · preset: {recipe.preset}",
        f"model: {job_views.quote(recipe.model or '')}",
        job_views.describe_start(job),
        " · ".join(
            f"{name.replace('_', ' ')}: {value}"
            for name, value in recipe.describe().items()
            if name not in _TOLD
        ),
    ]
    file = discord.ui.File[Any]("attachment://recipe.txt") if is_long else None
    row = discord.ui.ActionRow[Any](*buttons) if buttons else None
    view = job_views.compose_view("\n".join(line for line in lines if line), file, row)
    text = f"prompt: {recipe.prompt}\nnegative prompt: {recipe.negative_prompt}\n"
    files = [discord.File(BytesIO(text.encode()), "recipe.txt")] if is_long else []
    return view, files


def compose_remix_form(job: Job) -> JobModal:
    """The recipe, to be changed."""
    recipe = job.recipe
    form = JobModal("remix", job.job_id, 0, title="Remix")
    form.add_item(_field("prompt", "Prompt", recipe.prompt, is_long=True, required=True))
    form.add_item(_field("negative", "Negative prompt", recipe.negative_prompt, is_long=True))
    base = compose_base(job)
    form.add_item(_field("size", "Size", f"{base.width}x{base.height}"))
    form.add_item(_field("seed", "Seed", "", hint="empty: new pictures"))
    settings = f"{recipe.num_inference_steps} / {recipe.guidance_scale:g} / {recipe.sampler}"
    form.add_item(_field("settings", "Steps / guidance / sampler", settings))
    return form


def compose_start_form(job: Job, panel: int) -> JobModal:
    """A prompt for image-to-image from one picture."""
    form = JobModal("start", job.job_id, panel, title="Use as start")
    form.add_item(_field("prompt", "Prompt", job.recipe.prompt, is_long=True, required=True))
    form.add_item(_field("negative", "Negative prompt", "", is_long=True))
    hint = "low keeps the picture, high follows the prompt"
    form.add_item(_field("strength", "Strength (0 to 1)", f"{DEFAULT_STRENGTH:g}", hint=hint))
    return form


def _field(
    name: str,
    label: str,
    value: str,
    *,
    hint: str | None = None,
    is_long: bool = False,
    required: bool = False,
) -> discord.ui.Label[Any]:
    style = discord.TextStyle.paragraph if is_long else discord.TextStyle.short
    text = discord.ui.TextInput[Any](
        custom_id=name,
        style=style,
        default=value[:_FORM_TEXT_MAX] or None,
        required=required,
        max_length=_FORM_TEXT_MAX if is_long else 100,
    )
    return discord.ui.Label(text=label, description=hint, component=text)


def compose_gallery(
    shown: list[tuple[Job, str]], *, older: int | None, is_first: bool
) -> discord.ui.LayoutView:
    """A page of somebody's own pictures. older: the job that the next page starts below."""
    if not shown:
        text = "You have no pictures yet." if is_first else "There are no older pictures."
        return job_views.compose_view(f"{text} `/imagine` draws some.")
    parts: list[discord.ui.Item[Any] | str | None] = ["**Your pictures**, newest first"]
    for job, file_name in shown:
        item = discord.MediaGalleryItem(
            f"attachment://{file_name}",
            description=job_views.describe_job(job),
            spoiler=job.spoiler,
        )
        prompt = job_views.quote(job.recipe.prompt, 200)
        link = f" · [jump]({_link(job)})" if job.message_id else ""
        parts += [
            f"#{job.job_id} · <t:{job.accepted_at:.0f}:R>{link}\n{prompt}",
            discord.ui.MediaGallery[Any](item),
        ]
    buttons = [JobButton("gallery", older, label="Older")] if older is not None else []
    if not is_first:
        buttons.insert(0, JobButton("gallery", 2**63 - 1, label="Newest"))
    parts.append(discord.ui.ActionRow[Any](*buttons) if buttons else None)
    return job_views.compose_view(*parts)


def _link(job: Job) -> str:
    origin = job.origin
    guild = origin.guild_id or "@me"
    return f"https://discord.com/channels/{guild}/{origin.channel_id}/{job.message_id}"
