"""How the messages of jobs look; what they say is in ``bot/texts/jobs.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import discord

from bot.domain.jobs import Job, JobStatus, Standing
from bot.domain.recipes import Recipe, Style
from bot.domain.samplers import name_sampler
from bot.engine.api import ModelInfo
from bot.jobs.ports import Delivery, Hidden, InProgress, InReview, Update, Waiting, list_hidden
from bot.jobs.queue.places import Place, PlaceReason
from bot.policy.quotas import Quotas
from bot.recipes.starter_words import describe_unknown
from bot.texts import buttons, queue
from bot.texts import jobs as texts
from bot.texts import recipes as recipe_texts
from bot.texts.catalog import speaking
from bot.texts.lists import AND_MORE
from bot.texts.reasons import say
from bot.texts.units import say_duration
from bot.views.components import JobButton
from bot.views.escape import cut, quote

P = ParamSpec("P")
T = TypeVar("T")

_ALT_TEXT_MAX = 1024
_BAR_WIDTH = 12
_TEXT_MAX = 2000
_LABEL_MAX = 80  # characters that Discord allows on a button
_MOST_TO_CHOOSE = 9
_ROOM_FOR_REST = 40  # characters for the line that says how many did not fit

_CAN_BE_CANCELLED = {
    JobStatus.ACCEPTED,
    JobStatus.HELD,
    JobStatus.QUEUED,
    JobStatus.RUNNING,
}
_PLACES = {
    PlaceReason.NEXT: queue.NEXT,
    PlaceReason.OWN_FIRST: queue.OWN_FIRST,
    PlaceReason.CAME_FIRST: queue.CAME_FIRST,
    PlaceReason.TURNS: queue.TURNS,
}
_OVERTAKEN = {
    PlaceReason.LESS_USE: (queue.ALL_DREW_LESS, queue.SOME_DREW_LESS),
    PlaceReason.GUILD_LESS_USE: (queue.ALL_SERVERS_DREW_LESS, queue.SOME_SERVERS_DREW_LESS),
    PlaceReason.GREATER_SHARE: (queue.ALL_HAVE_GREATER_SHARE, queue.SOME_HAVE_GREATER_SHARE),
}
"""The texts if people who asked later are ahead: if all people ahead did, and if only some did."""


def _for_all(compose: Callable[Concatenate[Job, P], T]) -> Callable[Concatenate[Job, P], T]:
    """Use the server's language, because everybody in the channel reads the message."""

    @wraps(compose)
    def compose_for_all(job: Job, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with speaking(job.origin.shown_locale):
            return compose(job, *args, **kwargs)

    return compose_for_all


@_for_all
def compose_update(
    job: Job, update: Update, preview_name: str | None = None
) -> discord.ui.LayoutView:
    """Build the message of a job that has no pictures yet, or will have none."""
    match update:
        case Waiting():
            status = describe_waiting(update)
        case InProgress():
            status = describe_drawing(job, update)
        case InReview():
            status = texts.IN_REVIEW()
        case Hidden():
            status = texts.REMOVED() if update.is_removed else texts.HIDDEN()
        case _:
            status = say(job.reason)
    row: discord.ui.ActionRow[Any] | None = None
    if job.status in _CAN_BE_CANCELLED:
        cancel = JobButton("cancel", job.job_id, label=buttons.CANCEL())
        row = discord.ui.ActionRow[Any](cancel)
    gallery = None
    if preview_name is not None:
        item = discord.MediaGalleryItem(
            f"attachment://{preview_name}", description=describe_preview(job)
        )
        gallery = discord.ui.MediaGallery[Any](item)
    return compose_view(compose_title(job), gallery, status, row)


@_for_all
def withhold_words(job: Job) -> Job:
    """Return the job without its member's words, for a place where Discord refuses them."""
    recipe = replace(job.recipe, prompt=texts.WITHHELD(), negative_prompt="", own_words=None)
    return replace(job, recipe=recipe, cut_words="", cut_negative_words="")


@_for_all
def describe_preview(job: Job) -> str:
    """Return the alt text of a preview."""
    return cut(texts.UNFINISHED(prompt=job.recipe.prompt), _ALT_TEXT_MAX)


@_for_all
def compose_delivery(
    job: Job,
    delivery: Delivery,
    *file_names: str,
    can_upscale: bool = True,
    can_edit: bool = False,
) -> discord.ui.LayoutView:
    """Build the message with the grid, single pictures, or none if files are not allowed."""
    gallery = None
    if file_names:
        alt_texts = describe_files(job, delivery, len(file_names))
        gallery = discord.ui.MediaGallery[Any](
            *(
                discord.MediaGalleryItem(
                    f"attachment://{name}", description=alt_text, spoiler=job.spoiler
                )
                for name, alt_text in zip(file_names, alt_texts, strict=True)
            )
        )
    notes = [describe_recipe(job), *(f"-# {note}" for note in list_hidden(delivery))]
    if gallery is None:
        notes.insert(0, texts.NOT_ATTACHED())
    shown = [verdict.shown for verdict in delivery.verdicts]
    rows = list_rows(job, shown, can_upscale=can_upscale, can_edit=can_edit)
    return compose_view(compose_title(job), gallery, "\n".join(notes), *rows)


@_for_all
def describe_files(job: Job, delivery: Delivery, count: int) -> list[str]:
    """Return the alt texts of the grid or of the single pictures."""
    if count == 1:
        return [describe_grid(job, delivery)]
    return [describe_panel(job, panel) for panel in range(1, count + 1)]


def describe_panel(job: Job, panel: int) -> str:
    """Return the alt text of one picture."""
    recipe = job.recipe
    text = texts.PICTURE_OF(panel=panel, count=len(recipe.seeds), prompt=recipe.prompt)
    return cut(text, _ALT_TEXT_MAX)


def list_rows(
    job: Job, shown: Sequence[bool], *, can_upscale: bool, can_edit: bool
) -> list[discord.ui.ActionRow[Any]]:
    """Return the buttons under a grid, or under a job's only picture."""
    if len(shown) == 1:
        is_shown = shown[0]
        return list_single_rows(
            job, 1, is_shown=is_shown, can_upscale=can_upscale, can_edit=can_edit
        )
    panels = list(enumerate(shown, 1))
    pick = [JobButton("pick", job.job_id, n, label=str(n), disabled=not on) for n, on in panels]
    vary = [
        JobButton("vary", job.job_id, n, label=buttons.VARY_ONE(panel=n), disabled=not on)
        for n, on in panels
    ]
    reroll = JobButton("reroll", job.job_id, label="↻")
    remix = JobButton("remix", job.job_id, label=buttons.REMIX())
    more = JobButton("more", job.job_id, label="⋯")
    return [
        discord.ui.ActionRow[Any](*pick, reroll, remix),
        discord.ui.ActionRow[Any](*vary, more),
    ]


def list_single_rows(
    job: Job, panel: int, *, is_shown: bool, can_upscale: bool, can_edit: bool
) -> list[discord.ui.ActionRow[Any]]:
    """Return the buttons under one picture. The buttons for its size are in the upper row."""

    def button(action: str, label: str) -> JobButton:
        return JobButton(action, job.job_id, panel, label=label, disabled=not is_shown)

    sizes = [button("redraw", buttons.UPSCALE_BY_REDRAWING())]
    if can_upscale:
        sizes.insert(0, button("upscale", buttons.UPSCALE()))
    if job.recipe.shown_factor > 1:
        sizes.append(button("original", buttons.ORIGINAL()))
    others = [
        button("vary", buttons.VARY()),
        JobButton("remix", job.job_id, label=buttons.REMIX()),
        button("start", buttons.START()),
        JobButton("more", job.job_id, label="⋯"),
    ]
    if can_edit:
        others.insert(-1, button("edit", buttons.EDIT()))
    return [discord.ui.ActionRow[Any](*sizes), discord.ui.ActionRow[Any](*others)]


def compose_view(*parts: discord.ui.Item[Any] | str | None) -> discord.ui.LayoutView:
    """Put items into one container; strings become text."""
    view = discord.ui.LayoutView(timeout=None)
    items = [discord.ui.TextDisplay(part) if isinstance(part, str) else part for part in parts]
    view.add_item(discord.ui.Container(*(item for item in items if item is not None)))
    return view


def compose_choice_to_cancel(waiting: Sequence[Job]) -> discord.ui.LayoutView:
    """Ask a member which of their prompts to cancel. There is a button for each, newest first."""
    shown = waiting[: -_MOST_TO_CHOOSE - 1 : -1]
    names = [cut(" ".join(job.recipe.typed_prompt.split()), _LABEL_MAX) for job in shown]
    choices = [
        JobButton("cancel", job.job_id, label=name) for job, name in zip(shown, names, strict=True)
    ]
    style = discord.ButtonStyle.danger
    label = buttons.CANCEL_ALL(count=len(waiting))
    choices.append(JobButton("cancelall", 0, label=label, style=style))
    rows = [discord.ui.ActionRow[Any](choice) for choice in choices]
    return compose_view(texts.WHICH_TO_CANCEL(), *rows)


def compose_title(job: Job) -> str:
    """Name the author, and the prompt unless it must stay hidden."""
    is_refused = job.status is JobStatus.REFUSED and bool(job.rule)
    is_secret = job.is_held or job.hidden or is_refused
    title = texts.A_PROMPT() if is_secret else quote(job.recipe.typed_prompt)
    return " · ".join(filter(None, (f"**{title}**", mention_author(job))))


def mention_author(job: Job) -> str:
    """Mention who asked; "" for a round, which has several authors."""
    return f"<@{job.origin.user_id}>" if job.origin.user_id else ""


def describe_waiting(waiting: Waiting) -> str:
    """Describe the place in the queue, the reason for it, and the wait."""
    place = texts.IN_QUEUE() if waiting.place is None else describe_place(waiting.place)
    return place if waiting.model_ready else f"{place} {texts.MODEL_LOADING()}"


def describe_place(place: Place) -> str:
    """Describe the place, as in: Number 3 in the queue: 2 people asked before you. Ready in …"""
    if place.reason in _OVERTAKEN:
        is_of_all = place.overtaken_by == place.members_ahead
        text, count = _OVERTAKEN[place.reason][not is_of_all], place.overtaken_by
    else:
        text, count = _PLACES[place.reason], place.members_ahead
    why = text(position=place.position, count=count, people=place.members_ahead)
    if place.wait_seconds is None:
        return why
    return f"{why} {queue.READY_IN(wait=say_duration(place.wait_seconds))}"


def describe_drawing(job: Job, drawing: InProgress) -> str:
    """Show progress as a bar of text; step 0 means that the engine is still starting."""
    filled = round(_BAR_WIDTH * drawing.step / drawing.num_steps)
    bar = "▰" * filled + "▱" * (_BAR_WIDTH - filled)
    text = texts.ENLARGING if job.recipe.is_upscaled else texts.DRAWING
    return text(bar=bar, step=drawing.step, steps=drawing.num_steps)


def describe_recipe(job: Job) -> str:
    """Return the small line under a grid: its settings, and notes, for example about cut words."""
    recipe = job.recipe
    small = recipe_texts.SMALL_LINE(
        model=quote(recipe.model or ""),
        sampler=name_sampler(recipe.sampler),
        count=recipe.num_inference_steps or 0,
        guidance=recipe.guidance,
        size=f"{recipe.width}×{recipe.height}",
        seed=recipe.seeds[0],
    )
    lines = [small]
    if recipe.negative_prompt:
        lines.append(recipe_texts.WITHOUT(negative_prompt=quote(recipe.negative_prompt)))
    lines += filter(None, (describe_start(job), describe_showing(recipe)))
    if recipe.prompt != texts.WITHHELD() and (unknown := describe_unknown(recipe)):
        lines.append(unknown)
    if job.cut_words:
        lines.append(recipe_texts.WORDS_CUT(words=quote(job.cut_words)))
    if job.cut_negative_words:
        lines.append(recipe_texts.NEGATIVE_WORDS_CUT(words=quote(job.cut_negative_words)))
    return "\n".join(f"-# {line}" for line in lines)


def describe_start(job: Job) -> str:
    """Describe the picture that image-to-image started from."""
    start = job.recipe.start
    if start is None:
        return ""
    if start.upscaled:
        named = {"panel": start.panel, "job_id": start.job_id, "factor": start.upscaled}
        return recipe_texts.UPSCALED(upscaler=quote(job.recipe.upscaler or ""), **named)
    if start.edited:
        text = recipe_texts.EDITED_PICTURE if start.panel else recipe_texts.EDITED_UPLOAD
        return text(panel=start.panel, job_id=start.job_id)
    text = recipe_texts.FROM_ENLARGED if start.is_enlarged else recipe_texts.FROM_PICTURE
    if not start.panel:
        text = recipe_texts.FROM_UPLOAD
    return text(panel=start.panel, job_id=start.job_id, strength=start.strength)


def describe_showing(recipe: Recipe) -> str:
    """Say that the pictures were drawn small and are shown enlarged; "" if they are not."""
    if recipe.shown_factor == 1:
        return ""
    size, upscaler = f"{recipe.width}×{recipe.height}", quote(recipe.upscaler or "")
    return recipe_texts.SHOWN_ENLARGED(size=size, factor=recipe.shown_factor, upscaler=upscaler)


def describe_grid(job: Job, delivery: Delivery) -> str:
    """Return the alt text of a grid, including which pictures are hidden."""
    hidden = " ".join(list_hidden(delivery))
    if not hidden:
        return describe_job(job)
    room = _ALT_TEXT_MAX - len(texts.PICTURE_WITH_NOTES(picture="", notes=hidden))
    return texts.PICTURE_WITH_NOTES(picture=cut(describe_job(job), room), notes=hidden)


def describe_job(job: Job) -> str:
    """Return the alt text of a job's pictures."""
    text = texts.ONE_PICTURE if len(job.recipe.seeds) == 1 else texts.THREE_PICTURES
    return cut(text(prompt=job.recipe.prompt), _ALT_TEXT_MAX)


def describe_queue(
    *,
    here: tuple[int, int] | None,
    own: Sequence[tuple[Job, Place | None]],
    standing: Standing,
    quotas: Quotas,
    info: ModelInfo | None,
) -> str:
    """Compose the answer to /queue. here: this server's prompts, waiting and being drawn."""
    head = queue.MODEL(model=quote(info.name)) if info else queue.MODEL_LOADING()
    if here is not None:
        head += f" {queue.IN_THIS_SERVER(count=here[0], drawing=here[1])}"
    most = quotas.max_cost_per_member_per_hour
    drawing = sum(job.status is JobStatus.RUNNING for job, _ in own)
    tail = queue.LEFT(
        waiting=standing.member_waiting - drawing,
        drawing=drawing,
        count=quotas.max_waiting_per_member,
        left=max(most - standing.member_cost, 0.0),
        most=most,
    )
    lines = [
        queue.OWN_PROMPT(prompt=quote(job.recipe.typed_prompt, 80), place=_describe_own(job, place))
        for job, place in own
    ]
    room = _TEXT_MAX - len(head) - len(tail)
    return "\n".join([head, *_fit_lines(lines, room), tail])


def describe_styles(styles: Sequence[Style]) -> str:
    """Return the private answer to /style list. Styles that do not fit are only counted."""
    lines: list[str] = []
    for style in styles:
        parts = " … ".join(filter(None, (style.before, style.after)))
        lines.append(f"**{quote(style.name)}** — {quote(parts, 100)}")
    head = f"**{recipe_texts.STYLES()}**"
    room = _TEXT_MAX - len(head)
    return "\n".join([head, *_fit_lines(lines, room)])


def _fit_lines(lines: Sequence[str], room: int) -> list[str]:
    """Join as many lines as fit, and say how many are left out."""
    room -= _ROOM_FOR_REST
    for index, line in enumerate(lines):
        room -= len(f"• {line}\n")
        if room < 0:
            fitting = [*lines[:index], AND_MORE(count=len(lines) - index)]
            return [f"• {each}" for each in fitting]
    return [f"• {line}" for line in lines]


def _describe_own(job: Job, place: Place | None) -> str:
    if place is not None:
        return describe_place(place)
    if job.status is JobStatus.HELD:
        return texts.HELD()
    return texts.BEING_DRAWN() if job.status is JobStatus.RUNNING else texts.IN_QUEUE()
