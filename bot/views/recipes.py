"""Builds messages for single pictures and recipes, and their forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import discord

from bot.domain.jobs import Job
from bot.domain.recipes import Recipe
from bot.domain.samplers import name_sampler
from bot.policy.models import OfferedModel
from bot.recipes.derive import compose_base
from bot.recipes.presets import DEFAULT_STRENGTH
from bot.texts import buttons
from bot.texts import recipes as texts
from bot.views import jobs as job_views
from bot.views.components import JobButton, JobModal
from bot.views.models import list_options

_FORM_TEXT_MAX = 4000
_TOLD = {
    *("prompt", "negative_prompt", "seeds", "width", "height", "num_inference_steps", "sampler"),
    *("guidance_scale", "guidance_until", "preset", "model", "start", "version", "own_words"),
    *("upscaler", "upscale_factor"),
}
"""The values that the text about a recipe mentions. It lists all other values at its end."""
# characters of a prompt; escaping may double them, and two prompts must fit into one message
_LONG_PROMPT = 700


def compose_single(
    job: Job, panel: int, file_name: str, *, can_upscale: bool, can_edit: bool
) -> discord.ui.LayoutView:
    """Build the message with one picture at full size."""
    gallery = discord.ui.MediaGallery(
        discord.MediaGalleryItem(
            f"attachment://{file_name}",
            description=job_views.describe_panel(job, panel),
            spoiler=job.spoiler,
        )
    )
    line = texts.SINGLE_LINE(panel=panel, job_id=job.job_id, seed=job.recipe.seeds[panel - 1])
    rows = job_views.list_single_rows(
        job, panel, is_shown=True, can_upscale=can_upscale, can_edit=can_edit
    )
    return job_views.compose_view(job_views.compose_title(job), gallery, f"-# {line}", *rows)


def compose_recipe(
    job: Job, *choices: JobButton, head: str = ""
) -> tuple[discord.ui.LayoutView, list[discord.File]]:
    """Show all that is needed to draw a job again. Prompts too long for a message become a file."""
    recipe = job.recipe
    is_long = max(len(recipe.prompt), len(recipe.negative_prompt)) > _LONG_PROMPT
    title, asked = texts.TITLE(job_id=job.job_id), f"<t:{job.accepted_at:.0f}:f>"
    lines = [
        head,
        " · ".join(filter(None, (f"**{title}**", job_views.mention_author(job), asked))),
        *_describe_prompts(recipe, job_views.quote),
        *_describe_values(recipe),
        job_views.describe_start(job),
        job_views.describe_showing(recipe),
        " · ".join(
            f"{texts.name_parameter(name)}: {value}"
            for name, value in recipe.describe().items()
            if name not in _TOLD
        ),
    ]
    file = discord.ui.File[Any]("attachment://recipe.txt") if is_long else None
    row = discord.ui.ActionRow[Any](*choices) if choices else None
    view = job_views.compose_view("\n".join(line for line in lines if line), file, row)
    text = "\n".join(_describe_prompts(recipe, lambda prompt, _: prompt))
    files = [discord.File(BytesIO(f"{text}\n".encode()), "recipe.txt")] if is_long else []
    return view, files


def _describe_prompts(recipe: Recipe, shorten: Callable[[str, int], str]) -> list[str]:
    prompt = texts.PROMPT(prompt=shorten(recipe.prompt, _LONG_PROMPT))
    if not recipe.negative_prompt:
        return [prompt, texts.NO_NEGATIVE_PROMPT()]
    negative = shorten(recipe.negative_prompt, _LONG_PROMPT)
    return [prompt, texts.NEGATIVE_PROMPT(negative_prompt=negative)]


def _describe_values(recipe: Recipe) -> list[str]:
    return [
        texts.SEEDS(seeds=", ".join(map(str, recipe.seeds))),
        texts.SETTINGS(
            size=f"{recipe.width}x{recipe.height}",
            steps=recipe.num_inference_steps,
            guidance=recipe.guidance,
            sampler=name_sampler(recipe.sampler),
            preset=recipe.preset,
        ),
        texts.MODEL(model=job_views.quote(recipe.model or "")),
    ]


def compose_remix_form(
    job: Job, models: Sequence[OfferedModel] = (), default: str | None = None
) -> JobModal:
    """Build the form that changes a recipe.

    models: those that the person can use; of these, the form offers those that can draw the
    recipe. default: the id of the one to offer if the recipe's own is not among them. If there is a
    choice, the seed has no field of its own, because Discord allows five.
    """
    recipe, base = job.recipe, compose_base(job)
    form = JobModal("remix", job.job_id, 0, title=texts.REMIX_FORM())
    _add_prompts(form, recipe.prompt, recipe.negative_prompt)
    models = [each for each in models if recipe.is_edit or not each.only_edits]
    is_there = any(model.id == recipe.model for model in models)
    has_choice = len(models) > 1 or (bool(models) and not is_there)
    size = _field("size", texts.SIZE_FIELD(), f"{base.width}x{base.height}")
    if has_choice:
        chosen = recipe.model if is_there else default
        hint = texts.MODEL_HINT() if is_there else texts.MODEL_GONE_HINT()
        options = list_options(models, (chosen,) if chosen else ())
        select = discord.ui.Select[Any](custom_id="model", options=options)
        form.add_item(
            discord.ui.Label(text=texts.MODEL_FIELD(), description=hint, component=select)
        )
        form.add_item(size)
    else:
        form.add_item(size)
        form.add_item(_field("seed", texts.SEED_FIELD(), "", hint=texts.SEED_HINT()))
    hint = texts.SEED_AFTER_HINT() if has_choice else None
    settings = describe_settings(recipe)
    form.add_item(_field("settings", texts.SETTINGS_FIELD(), settings, hint=hint))
    return form


def describe_settings(recipe: Recipe) -> str:
    """Return what the form has as steps, guidance and sampler."""
    sampler = name_sampler(recipe.sampler)
    return f"{recipe.num_inference_steps} / {recipe.guidance_scale:g} / {sampler}"


def compose_start_form(job: Job, panel: int) -> JobModal:
    """Build the form for a prompt that starts from one picture."""
    form = JobModal("start", job.job_id, panel, title=texts.START_FORM())
    _add_prompts(form, job.recipe.prompt, "")
    strength, hint = f"{DEFAULT_STRENGTH:g}", texts.STRENGTH_HINT()
    form.add_item(_field("strength", texts.STRENGTH_FIELD(), strength, hint=hint))
    return form


def compose_edit_form(job: Job, panel: int) -> JobModal:
    """Build the form that asks what to change in one picture."""
    form = JobModal("edit", job.job_id, panel, title=texts.EDIT_FORM())
    label, hint = texts.INSTRUCTION_FIELD(), texts.INSTRUCTION_HINT()
    form.add_item(_field("instruction", label, "", hint=hint, is_long=True, required=True))
    return form


def _add_prompts(form: JobModal, prompt: str, negative: str) -> None:
    form.add_item(_field("prompt", texts.PROMPT_FIELD(), prompt, is_long=True, required=True))
    form.add_item(_field("negative", texts.NEGATIVE_PROMPT_FIELD(), negative, is_long=True))


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
    """Build a page of a member's own pictures.

    older: the id of the last job on this page; None if there is no next page with older ones.
    """
    if not shown:
        text = texts.GALLERY_EMPTY if is_first else texts.GALLERY_AT_END
        return job_views.compose_view(text())
    parts: list[discord.ui.Item[Any] | str | None] = [texts.GALLERY()]
    for job, file_name in shown:
        item = discord.MediaGalleryItem(
            f"attachment://{file_name}",
            description=job_views.describe_job(job),
            spoiler=job.spoiler,
        )
        prompt = job_views.quote(job.recipe.typed_prompt, 200)
        if job.recipe.is_edit:
            prompt = f"{prompt}\n-# {job_views.describe_start(job)}"
        link = f" · [{texts.JUMP()}]({_link(job)})" if job.message_id else ""
        parts += [
            f"#{job.job_id} · <t:{job.accepted_at:.0f}:R>{link}\n{prompt}",
            discord.ui.MediaGallery[Any](item),
        ]
    pages = []
    if not is_first:
        pages.append(JobButton("gallery", 2**63 - 1, label=buttons.NEWEST_PICTURES()))
    if older is not None:
        pages.append(JobButton("gallery", older, label=buttons.OLDER_PICTURES()))
    parts.append(discord.ui.ActionRow[Any](*pages) if pages else None)
    return job_views.compose_view(*parts)


def _link(job: Job) -> str:
    origin = job.origin
    guild = origin.guild_id or "@me"
    return f"https://discord.com/channels/{guild}/{origin.channel_id}/{job.message_id}"
