"""Every word the bot says, and how its messages look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord

from bot.domain.jobs import Job, JobStatus, Standing
from bot.domain.recipes import Style
from bot.engine.api import ModelInfo
from bot.jobs.ports import Delivery, Hidden, InProgress, InReview, Update, Waiting, list_hidden
from bot.jobs.queue.places import Place, PlaceReason
from bot.policy.quotas import Quotas
from bot.texts.reasons import say
from bot.views.components import JobButton
from bot.views.escape import quote

_ALT_TEXT_MAX = 1024
_BAR_WIDTH = 12
_TEXT_MAX = 2000

_CAN_BE_CANCELLED = {
    JobStatus.ACCEPTED,
    JobStatus.HELD,
    JobStatus.QUEUED,
    JobStatus.RUNNING,
}

HELP = (
    "**Triptych draws three pictures for every prompt.**\n"
    "`/imagine` takes a prompt, such as *dog in autumn leaves*. Optional: what to avoid, steps, "
    "guidance, a seed (the same seed draws the same pictures), a size, a sampler and a preset.\n"
    "`image` and `strength` start from a picture of yours, `style` adds a style of this server.\n"
    "**Under a grid**: 1 2 3 show one picture (with Upscale and Use as start), Vary draws siblings "
    "of it, ↻ the same prompt with new seeds, ✎ Remix with changes; ⋯ has the recipe and Delete.\n"
    "`/gallery` shows your pictures, `/recipe` what is behind a message, `/style` the styles.\n"
    "`/queue` shows the queue and what is left of your quota. The next picture goes first to the "
    "server, then to the member that has drawn least lately, so nobody can crowd the others out.\n"
    "`/cancel` takes back a prompt that waits or is being drawn; what was not drawn costs nothing."
)
ONLY_IN_SERVERS = (
    "This command is for servers that have added Triptych, and works nowhere else. Nothing was "
    "shown or changed."
)
UNEXPECTED = (
    "Something went wrong on our side. Nothing was charged. "
    "Please try again; if it happens again, tell the owner of this bot."
)
NOTHING_TO_CANCEL = "You have nothing in the queue."
NO_SUCH_PICTURE = (
    "I know no picture like that in this channel, so nothing was done and nothing was charged. "
    "`/gallery` has your own pictures."
)
TIME_OVER = (
    "Nothing is on record of these pictures any more: the time for which they are kept is over, "
    "or their author had them deleted. Nothing was done or charged. A moderator can delete the "
    "message."
)
HIDDEN_PANEL = (
    "That picture is hidden by the filter, so nothing can be made of it. Nothing was charged; "
    "take another one, or ↻ for new ones."
)
NOT_YOURS_TO_DELETE = (
    "Only the member who asked for these pictures and people with Manage Messages can delete them."
)
REMOVED_BY_MODERATOR = "A moderator has removed that picture, so nothing can be made of it."
GONE = "That picture is gone; here is its recipe. Draw it again?"
DELETED = "Deleted: the pictures have left the message, the disk and the gallery."
DELETED_BUT_SHOWN = (
    "The pictures have left the disk and the gallery, but I may not delete the message that shows "
    "them. Press again later, or ask a moderator to delete it."
)
NOT_YOURS = "Only the member who asked for these pictures can cancel them."
TOO_LATE = "This prompt neither waits nor is being drawn any more, so nothing was cancelled."
NOT_ATTACHED = (
    "The pictures are drawn and kept, but Discord does not take them here: I may not attach files, "
    "or they are too large for this server. `/gallery` shows them to you."
)
IN_REVIEW = "Waiting for a moderator, who looks at this first."
HIDDEN = (
    "Members have reported these pictures. They are hidden until a moderator has looked at them."
)
REMOVED = "A moderator has removed these pictures."


def say_cancelled(count: int) -> str:
    """The private answer to the one who cancelled."""
    what = "Your prompt was" if count == 1 else f"Your {count} prompts were"
    return f"{what} cancelled. Only steps that were already drawn count towards your quota."


def compose_update(
    job: Job, update: Update, preview_name: str | None = None
) -> discord.ui.LayoutView:
    """The message of a job that has no pictures yet, or will have none."""
    match update:
        case Waiting():
            status = describe_waiting(update)
        case InProgress():
            status = describe_drawing(update)
        case InReview():
            status = IN_REVIEW
        case Hidden():
            status = REMOVED if update.is_removed else HIDDEN
        case _:
            status = say(job.reason)
    row: discord.ui.ActionRow[Any] | None = None
    if job.status in _CAN_BE_CANCELLED:
        row = discord.ui.ActionRow[Any](JobButton("cancel", job.job_id, label="Cancel"))
    gallery = None
    if preview_name is not None:
        item = discord.MediaGalleryItem(
            f"attachment://{preview_name}", description=describe_preview(job)
        )
        gallery = discord.ui.MediaGallery[Any](item)
    return compose_view(compose_title(job), gallery, status, row)


def describe_preview(job: Job) -> str:
    """The alt text of what is being drawn."""
    return f"Unfinished pictures being drawn from the prompt: {job.recipe.prompt}"[:_ALT_TEXT_MAX]


def compose_delivery(job: Job, delivery: Delivery, *file_names: str) -> discord.ui.LayoutView:
    """The message that shows the grid, or its pictures singly, or none where none may be posted."""
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
        notes.insert(0, NOT_ATTACHED)
    rows = list_rows(job, [verdict.shown for verdict in delivery.verdicts])
    return compose_view(compose_title(job), gallery, "\n".join(notes), *rows)


def describe_files(job: Job, delivery: Delivery, count: int) -> list[str]:
    """The alt texts of the grid, or of its pictures singly."""
    if count == 1:
        return [describe_grid(job, delivery)]
    return [describe_panel(job, panel) for panel in range(1, count + 1)]


def describe_panel(job: Job, panel: int) -> str:
    """The alt text of one picture."""
    text = f"Picture {panel} of {len(job.recipe.seeds)}, drawn from the prompt: {job.recipe.prompt}"
    return text[:_ALT_TEXT_MAX]


def list_rows(job: Job, shown: Sequence[bool]) -> list[discord.ui.ActionRow[Any]]:
    """The buttons under a grid, or under a job's only picture."""
    if len(shown) == 1:
        return [compose_single_row(job.job_id, 1, is_shown=shown[0])]
    panels = list(enumerate(shown, 1))
    pick = [JobButton("pick", job.job_id, n, label=str(n), disabled=not on) for n, on in panels]
    vary = [
        JobButton("vary", job.job_id, n, label=f"Vary {n}", disabled=not on) for n, on in panels
    ]
    reroll = JobButton("reroll", job.job_id, label="↻")
    remix = JobButton("remix", job.job_id, label="✎ Remix")
    more = JobButton("more", job.job_id, label="⋯")
    return [
        discord.ui.ActionRow[Any](*pick, reroll, remix),
        discord.ui.ActionRow[Any](*vary, more),
    ]


def compose_single_row(job_id: int, panel: int, *, is_shown: bool) -> discord.ui.ActionRow[Any]:
    """The buttons under one picture."""
    return discord.ui.ActionRow[Any](
        JobButton("upscale", job_id, panel, label="Upscale ×2", disabled=not is_shown),
        JobButton("vary", job_id, panel, label="Vary", disabled=not is_shown),
        JobButton("remix", job_id, label="✎ Remix"),
        JobButton("start", job_id, panel, label="Use as start", disabled=not is_shown),
        JobButton("more", job_id, label="⋯"),
    )


def compose_view(*parts: discord.ui.Item[Any] | str | None) -> discord.ui.LayoutView:
    """One container; strings become text."""
    view = discord.ui.LayoutView(timeout=None)
    items = [discord.ui.TextDisplay(part) if isinstance(part, str) else part for part in parts]
    view.add_item(discord.ui.Container(*(item for item in items if item is not None)))
    return view


def compose_title(job: Job) -> str:
    """Whoever asked, and what, unless nobody should read it."""
    is_refused = job.status is JobStatus.REFUSED and bool(job.rule)
    if job.is_held or job.hidden or is_refused:
        return f"**A prompt** · <@{job.origin.user_id}>"
    return f"**{quote(job.recipe.prompt)}** · <@{job.origin.user_id}>"


def describe_waiting(waiting: Waiting) -> str:
    """Place in the queue and why, and how long it takes."""
    loading = (
        "" if waiting.model_ready else " The model is still loading; drawing starts by itself."
    )
    if waiting.place is None:
        return f"In the queue.{loading}"
    return f"{describe_place(waiting.place)}{loading}"


def describe_place(place: Place) -> str:
    """For example: 3rd in the queue: two people asked before you, about 40 s."""
    people, later = _people(place.members_ahead), _people(place.overtaken_by)
    has, their_servers = (
        ("has", "their server") if place.overtaken_by == 1 else ("have", "their servers")
    )
    ahead = f"{later} ahead"
    if place.overtaken_by < place.members_ahead:
        ahead = f"of the {people} ahead, {_count(place.overtaken_by)}"
    why = {
        PlaceReason.NEXT: "",
        PlaceReason.OWN_FIRST: ": after your own earlier prompts",
        PlaceReason.CAME_FIRST: f": {people} asked before you",
        PlaceReason.LESS_USE: f": {ahead} {has} drawn less in the last hours",
        PlaceReason.GUILD_LESS_USE: (
            f": {ahead} or {their_servers} {has} drawn less in the last hours"
        ),
        PlaceReason.GREATER_SHARE: (
            f": {ahead} {has} drawn less in the last hours for the share of their roles"
        ),
        PlaceReason.TURNS: f": you and {people} ahead take turns",
    }[place.reason]
    position = (
        "Next in the queue" if place.position == 1 else f"{_ordinal(place.position)} in the queue"
    )
    wait = "" if place.wait_seconds is None else f", about {_duration(place.wait_seconds)}"
    return f"{position}{why}{wait}."


def describe_drawing(drawing: InProgress) -> str:
    """A bar of text; step 0 stands while the engine begins."""
    filled = round(_BAR_WIDTH * drawing.step / drawing.num_steps)
    bar = "▰" * filled + "▱" * (_BAR_WIDTH - filled)
    return f"Drawing {bar} step {drawing.step} of {drawing.num_steps}"


def describe_recipe(job: Job) -> str:
    """The small line under a grid, with everything that did not go as asked."""
    recipe = job.recipe
    small = (
        f"-# {quote(recipe.model or '')} · {recipe.sampler} · {recipe.num_inference_steps} steps · "
        f"guidance {recipe.guidance} · {recipe.width}×{recipe.height} · "
        f"seed {recipe.seeds[0]}"
    )
    lines = [small]
    if recipe.negative_prompt:
        lines.append(f"-# without: {quote(recipe.negative_prompt)}")
    if recipe.start is not None:
        lines.append(f"-# {describe_start(job)}")
    if job.cut_words:
        lines.append(f"-# Too long for the model, so these words were cut: {quote(job.cut_words)}")
    if job.cut_negative_words:
        cut = quote(job.cut_negative_words)
        lines.append(f"-# The negative prompt was too long, so these words of it were cut: {cut}")
    return "\n".join(lines)


def describe_start(job: Job) -> str:
    """What image-to-image started from."""
    start = job.recipe.start
    if start is None:
        return ""
    what = f"picture {start.panel} of #{start.job_id}" if start.panel else "a picture sent with it"
    return f"{'×2 ' if start.is_enlarged else ''}from {what}, strength {start.strength:g}"


def describe_grid(job: Job, delivery: Delivery) -> str:
    """The alt text of a grid, with what is hidden in it."""
    hidden = list_hidden(delivery)
    note = f". {' '.join(hidden)}" if hidden else ""
    return describe_job(job)[: _ALT_TEXT_MAX - len(note)] + note


def describe_job(job: Job) -> str:
    """The alt text of a job's pictures."""
    what = "A picture" if len(job.recipe.seeds) == 1 else "Three pictures side by side"
    return f"{what}, drawn from the prompt: {job.recipe.prompt}"[:_ALT_TEXT_MAX]


def describe_queue(
    *,
    here: tuple[int, int] | None,
    own: Sequence[tuple[Job, Place | None]],
    standing: Standing,
    quotas: Quotas,
    info: ModelInfo | None,
) -> str:
    """The private answer to /queue. here: prompts in the queue and being drawn of this server."""
    head = f"Triptych draws with {quote(info.name)}." if info else "The model is still loading."
    if here is not None:
        waiting, drawing = here
        head += f" In this server: {_prompts(waiting)} in the queue, {drawing} being drawn."
    most = quotas.max_cost_per_member_per_hour
    left = max(most - standing.member_cost, 0.0)
    tail = (
        f"You have {standing.member_waiting} of {quotas.max_waiting_per_member} prompts in the "
        f"queue, and {left:.1f} of {most:g} left this hour (1 is one prompt with default settings)."
    )
    room = _TEXT_MAX - len(head) - len(tail) - 40  # for the line that counts the rest
    lines: list[str] = []
    for job, place in own:
        line = f"• “{quote(job.recipe.prompt, 80)}” — {_describe_own(job, place)}"
        room -= len(line) + 1
        if room < 0:
            lines.append(f"• and {len(own) - len(lines)} more")
            break
        lines.append(line)
    return "\n".join([head, *lines, tail])


def describe_styles(styles: Sequence[Style]) -> str:
    """The private answer to /style list, as far as it fits."""
    lines = ["**Styles here**"]
    room = _TEXT_MAX - 40
    for style in styles:
        texts = " … ".join(filter(None, (style.before, style.after)))
        line = f"• **{quote(style.name)}** — {quote(texts, 100)}"
        room -= len(line) + 1
        if room < 0:
            lines.append(f"• and {len(styles) - len(lines) + 1} more")
            break
        lines.append(line)
    return "\n".join(lines)


def _describe_own(job: Job, place: Place | None) -> str:
    if place is not None:
        return describe_place(place)
    if job.status is JobStatus.HELD:
        return "Waiting for a moderator."
    return "Being drawn." if job.status is JobStatus.RUNNING else "In the queue."


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{_count(count)} people"


def _count(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[number] if number < len(words) else str(number)


def _prompts(count: int) -> str:
    return "1 prompt" if count == 1 else f"{count} prompts"


def _ordinal(number: int) -> str:
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
