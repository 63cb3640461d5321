"""How the message of a group round looks; what it says is in ``bot/texts/rounds.py``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import discord

from bot.domain.jobs import JobStatus
from bot.domain.rounds import PANELS, Choosing, RoundState, RoundStatus
from bot.jobs.ports import (
    Delivery,
    Ended,
    Hidden,
    InProgress,
    InReview,
    Update,
    Waiting,
    list_hidden,
)
from bot.texts import buttons
from bot.texts import jobs as job_texts
from bot.texts import rounds as texts
from bot.texts.catalog import speaking
from bot.texts.reasons import say
from bot.views.components import JobButton
from bot.views.escape import cut, quote
from bot.views.jobs import compose_view, describe_drawing, describe_panel, describe_waiting
from bot.views.round_lines import (
    TEXT_MAX,
    THEME_SHOWN,
    describe_phrase,
    fit_lines,
    list_facts,
    list_results,
    say_authors,
    say_more,
    say_older,
    say_title,
    say_won,
)

P = ParamSpec("P")
T = TypeVar("T")

_PROMPT_SHOWN = 1500  # quoting may double it
_ALT_TEXT_MAX = 1024


def _for_all(compose: Callable[Concatenate[RoundState, P], T]) -> Callable[..., T]:
    """Use the server's language, because everybody in the channel reads the message."""

    @wraps(compose)
    def compose_for_all(state: RoundState, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with speaking(state.round.guild_locale):
            return compose(state, *args, **kwargs)

    return compose_for_all


def shows_pictures(state: RoundState) -> bool:
    """Return whether the round's message has pictures that people may see."""
    job = state.job
    if job is None or job.hidden or job.is_held or job.status is not JobStatus.DELIVERED:
        return False
    return not job.deleted_by  # retention deletes files only on our side, not in the message


@_for_all
def compose_round(state: RoundState, *file_names: str) -> discord.ui.LayoutView:
    """Build the message. file_names: the names of the pictures that it shows."""
    match state.round.status:
        case RoundStatus.OPEN:
            return _compose_open(state)
        case RoundStatus.ASKING:
            return _compose_asking(state)
        case _:
            return _compose_drawn(state, file_names)


@_for_all
def compose_progress(
    state: RoundState, update: Update, preview_name: str | None = None
) -> discord.ui.LayoutView:
    """Build the message of a round whose job has no pictures to show."""
    job, row = state.job, None
    assert job is not None
    match update:
        case Waiting():
            status = describe_waiting(update)
        case InProgress():
            status = describe_drawing(job, update)
        case InReview():
            status = texts.IN_REVIEW()
        case Hidden():
            status = texts.PICTURES_REMOVED() if update.is_removed else job_texts.HIDDEN()
        case _:
            status = say(job.reason)
    if isinstance(update, Waiting | InProgress | InReview):
        row = discord.ui.ActionRow[Any](_button("roundcancel", state, buttons.ROUND_CANCEL()))
    gallery = None
    if preview_name is not None:
        alt_text = describe_preview(state)
        item = discord.MediaGalleryItem(f"attachment://{preview_name}", description=alt_text)
        gallery = discord.ui.MediaGallery[Any](item)
    is_secret = _hides_words(state) or isinstance(update, Hidden | Ended)
    prompt = "" if is_secret else texts.PROMPT(prompt=quote(job.recipe.prompt, _PROMPT_SHOWN))
    lines = [say_title(state.round), prompt]
    return compose_view("\n".join(filter(None, lines)), gallery, status, row)


@_for_all
def describe_preview(state: RoundState) -> str:
    """Return the alt text of a preview."""
    prompt = "" if state.job is None else state.job.recipe.prompt
    return cut(job_texts.UNFINISHED(prompt=prompt), _ALT_TEXT_MAX)


@_for_all
def compose_delivery(
    state: RoundState, delivery: Delivery, *file_names: str
) -> discord.ui.LayoutView:
    """Build the message of a round whose pictures are shown for the first time."""
    panels = tuple(n for n, verdict in enumerate(delivery.verdicts, 1) if verdict.shown)
    notes = [f"-# {note}" for note in list_hidden(delivery)]
    if not file_names:
        notes.insert(0, texts.NOT_ATTACHED())
    return _compose_drawn(replace(state, panels=panels), file_names, notes)


@_for_all
def describe_files(state: RoundState, count: int) -> list[str]:
    """Return the alt texts of the grid, or of the single pictures."""
    job = state.job
    assert job is not None
    if count == 1:
        return [cut(job_texts.THREE_PICTURES(prompt=job.recipe.prompt), _ALT_TEXT_MAX)]
    return [describe_panel(job, panel) for panel in range(1, count + 1)]


@_for_all
def compose_winner(
    state: RoundState, file_name: str, link: str | None = None
) -> discord.ui.LayoutView:
    """Build the message with the winning picture. link: to the round, in another channel."""
    item = discord.MediaGalleryItem(
        f"attachment://{file_name}",
        description=describe_winner(state),
        spoiler=state.job is not None and state.job.spoiler,
    )
    gallery = discord.ui.MediaGallery[Any](item)
    theme = quote(state.round.theme, THEME_SHOWN) or texts.PHRASE_DELETED()
    head = texts.WINNER(theme=theme)
    lines = [say_won(state), say_authors(state), texts.SEE_ROUND(link=link) if link else ""]
    row = None
    if link is None:
        row = discord.ui.ActionRow[Any](_button("roundnext", state, buttons.ROUND_NEXT()))
    return compose_view(head, gallery, "\n".join(filter(None, lines)), row)


@_for_all
def describe_winner(state: RoundState) -> str:
    """Return the alt text of the winning picture."""
    return cut(texts.WINNER_ALT(theme=state.round.theme), _ALT_TEXT_MAX)


@_for_all
def withhold_words(state: RoundState) -> RoundState:
    """Return the round without anybody's words, for a place where Discord refuses them."""
    hidden = texts.WORDS_WITHHELD()
    phrases = tuple(replace(each, text=hidden) for each in state.phrases)
    ancestors = tuple(replace(each, theme=hidden) for each in state.ancestors)
    job = state.job
    if job is not None:
        job = replace(job, recipe=replace(job.recipe, prompt=hidden, own_words=None))
    bare = replace(state.round, theme=hidden, style="")
    return replace(state, round=bare, phrases=phrases, ancestors=ancestors, job=job)


def compose_question(state: RoundState, link: str) -> str:
    """Ask the starter whether to draw, in a message that mentions them."""
    with speaking(state.round.guild_locale):
        return texts.ASK_STARTER(starter_id=state.round.starter_id, link=link)


def _compose_open(state: RoundState) -> discord.ui.LayoutView:
    round_ = state.round
    by_votes = round_.choosing is Choosing.VOTES
    about = (texts.BY_VOTES if by_votes else texts.ALL_THAT_FIT)()
    head = [say_title(round_), about, *list_facts(state)]
    newest = sorted(state.phrases, key=lambda each: -each.phrase_id)
    lines = [describe_phrase(each, has_votes=by_votes) for each in newest]
    text = fit_lines(head, lines or [texts.NO_PHRASES()], say_older)
    first = [_button("roundadd", state, buttons.ROUND_ADD(), discord.ButtonStyle.primary)]
    if by_votes:
        first.append(_button("roundvote", state, buttons.ROUND_VOTE()))
    first += [
        _button("roundall", state, buttons.ROUND_ALL()),
        _button("roundback", state, buttons.ROUND_BACK()),
        _button("roundhelp", state, buttons.ROUND_HELP()),
    ]
    return compose_view(text, discord.ui.ActionRow[Any](*first), _row_of_moderators(state))


def _compose_asking(state: RoundState) -> discord.ui.LayoutView:
    round_ = state.round
    question = texts.ASKING(starter_id=round_.starter_id, at=round_.asks_until or round_.closes_at)
    lines = [describe_phrase(each, has_votes=False) for each in state.phrases]
    text = fit_lines([say_title(round_), question], lines, say_more)
    row = discord.ui.ActionRow[Any](
        _button("rounddraw", state, buttons.ROUND_DRAW(), discord.ButtonStyle.primary),
        _button("roundcancel", state, buttons.ROUND_CANCEL(), discord.ButtonStyle.danger),
    )
    return compose_view(text, row)


def _compose_drawn(
    state: RoundState, file_names: Sequence[str], notes: Sequence[str] = ()
) -> discord.ui.LayoutView:
    """Build the message of a round whose phrases are chosen, or which is over."""
    round_, job = state.round, state.job
    head, tail = [say_title(round_)], [*list_results(state), *notes]
    if job is not None and shows_pictures(state) and not file_names:
        tail.insert(0, (texts.PICTURES_GONE if job.deleted_at else texts.NOT_ATTACHED)())
    used = [each for each in state.phrases if each.is_used and not _hides_words(state)]
    used.sort(key=lambda each: each.place or 0)
    lines = [describe_phrase(each, has_votes=False) for each in used]
    if lines:
        head.append(texts.IN_PROMPT())
    gallery = _compose_gallery(state, file_names) if file_names else None
    room = TEXT_MAX - sum(len(each) + 1 for each in tail)
    text = fit_lines(head, lines, say_more, room)
    return compose_view(text, gallery, "\n".join(tail) or None, _row_of_drawn(state))


def _hides_words(state: RoundState) -> bool:
    """Return whether people may not see what was drawn. Then its words are not shown either."""
    job = state.job
    if state.round.status in {RoundStatus.FAILED, RoundStatus.CANCELLED}:
        return not shows_pictures(state)
    if job is None:
        return False
    return job.hidden or job.is_held or bool(job.deleted_by) or job.status is JobStatus.REFUSED


def _compose_gallery(state: RoundState, file_names: Sequence[str]) -> discord.ui.MediaGallery[Any]:
    spoiler = state.job is not None and state.job.spoiler
    alt_texts = describe_files(state, len(file_names))
    return discord.ui.MediaGallery[Any](
        *(
            discord.MediaGalleryItem(f"attachment://{name}", description=alt, spoiler=spoiler)
            for name, alt in zip(file_names, alt_texts, strict=True)
        )
    )


def _row_of_drawn(state: RoundState) -> discord.ui.ActionRow[Any] | None:
    match state.round.status:
        case RoundStatus.ENDED if shows_pictures(state):
            return discord.ui.ActionRow[Any](
                _button("roundnext", state, buttons.ROUND_NEXT()),
                _button("roundall", state, buttons.ROUND_ALL()),
            )
        case RoundStatus.DRAWING | RoundStatus.VOTING:
            panels = () if state.job is not None and state.job.hidden else state.panels
            picks = [_pick(state, panel, panels) for panel in PANELS]
            cancel = _button("roundcancel", state, buttons.ROUND_CANCEL())
            return discord.ui.ActionRow[Any](*picks, cancel)
        case _:
            return None


def _pick(state: RoundState, panel: int, panels: Collection[int]) -> JobButton:
    return JobButton(
        "roundpick",
        state.round.round_id,
        panel,
        label=buttons.ROUND_PICK(panel=panel),
        style=discord.ButtonStyle.primary,
        disabled=panel not in panels,
    )


def _row_of_moderators(state: RoundState) -> discord.ui.ActionRow[Any]:
    return discord.ui.ActionRow[Any](
        _button("roundstrike", state, buttons.ROUND_STRIKE()),
        _button("roundclose", state, buttons.ROUND_CLOSE()),
        _button("roundcancel", state, buttons.ROUND_CANCEL(), discord.ButtonStyle.danger),
    )


def _button(
    action: str,
    state: RoundState,
    label: str,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
) -> JobButton:
    return JobButton(action, state.round.round_id, label=label, style=style)
