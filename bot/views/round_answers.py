"""Private answers about group rounds: lists, votes for phrases, and forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord

from bot.domain.rounds import (
    MAX_MINUTES,
    MAX_PHRASE_LENGTH,
    MAX_THEME_LENGTH,
    MIN_MINUTES,
    Ballot,
    Choosing,
    Phrase,
    PhraseStatus,
    Round,
    RoundState,
)
from bot.texts import jobs as job_texts
from bot.texts import rounds as texts
from bot.texts.reasons import say
from bot.views.components import Form, JobModal, PanelItem
from bot.views.escape import cut, quote
from bot.views.jobs import compose_view
from bot.views.review import REASON_MAX
from bot.views.round_lines import describe_phrase, link_to

PANEL, MODERATION = "round", "roundmod"
HISTORY_PAGE = 10
_CHOICES = 25  # the most that Discord allows in a select
_LISTED = 15  # phrases on a page; their texts must fit into one message
_LABEL_MAX = 100


def compose_all(round_: Round, phrases: Sequence[Phrase], page: int) -> discord.ui.LayoutView:
    """Show a page of all phrases, oldest first. page: from 0."""
    page, shown, num_pages = _turn(phrases, page, _LISTED)
    has_votes = round_.choosing is Choosing.VOTES
    lines = [describe_phrase(each, has_votes=has_votes) for each in shown]
    head = [texts.ALL_PHRASES(), *_say_page(page, num_pages)]
    text = "\n".join([*head, *(lines or [texts.NO_PHRASES()])])
    return compose_view(text, _row_of_pages(f"all.{round_.round_id}", page, num_pages))


def compose_ballots(
    round_id: int, ballots: Sequence[Ballot], page: int, head: str = ""
) -> discord.ui.LayoutView:
    """Show a page of the phrases that a member may vote for, with their votes chosen."""
    if not ballots:
        return compose_view(texts.NOTHING_TO_VOTE())
    page, shown, num_pages = _turn(ballots, page, _CHOICES)
    options = [_option(each.phrase, is_chosen=each.is_chosen) for each in shown]
    select = discord.ui.Select[Any](
        placeholder=texts.CHOOSE_PHRASES(), min_values=0, max_values=len(options), options=options
    )
    # the first and the last phrase, because a page may have changed when the votes are sent
    first, last = shown[0].phrase.phrase_id, shown[-1].phrase.phrase_id
    item = PanelItem(PANEL, f"vote.{round_id}.{page}.{first}.{last}", select)
    lines = [head or texts.CHOOSE_TO_VOTE(), *_say_page(page, num_pages)]
    rows = _row_of_pages(f"ballots.{round_id}", page, num_pages)
    return compose_view("\n".join(lines), discord.ui.ActionRow[Any](item), rows)


def compose_own(round_id: int, phrases: Sequence[Phrase]) -> discord.ui.LayoutView:
    """Ask a member which of their phrases to take back."""
    if not phrases:
        return compose_view(texts.NOTHING_TO_TAKE_BACK())
    select = discord.ui.Select[Any](
        placeholder=texts.CHOOSE_ONE(), options=[_option(each) for each in phrases[:_CHOICES]]
    )
    item = PanelItem(PANEL, f"back.{round_id}", select)
    return compose_view(texts.CHOOSE_TO_TAKE_BACK(), discord.ui.ActionRow[Any](item))


def compose_to_strike(round_id: int, phrases: Sequence[Phrase], page: int) -> discord.ui.LayoutView:
    """Ask a moderator which phrase to strike out."""
    known = [each for each in phrases if each.text]
    if not known:
        return compose_view(texts.NO_PHRASES())
    page, shown, num_pages = _turn(known, page, _CHOICES)
    select = discord.ui.Select[Any](
        placeholder=texts.CHOOSE_ONE(), options=[_option(each) for each in shown]
    )
    item = PanelItem(MODERATION, f"choose.{round_id}", select)
    lines = [texts.CHOOSE_TO_STRIKE(), *_say_page(page, num_pages)]
    rows = _row_of_pages(f"phrases.{round_id}", page, num_pages, MODERATION)
    return compose_view("\n".join(lines), discord.ui.ActionRow[Any](item), rows)


def compose_confirmation(phrase: Phrase, author_id: int) -> discord.ui.LayoutView:
    """Ask a moderator whether to strike out this phrase, and whether to give a strike."""
    lines = [texts.CONFIRM_STRIKE(phrase=quote(phrase.text))]
    if author_id:
        lines.append(texts.BY(author_id=author_id))
    labels = {"out": texts.STRIKE_OUT(), "outstrike": texts.STRIKE_OUT_WITH_STRIKE()}
    style = discord.ButtonStyle.danger
    buttons = [
        PanelItem(
            MODERATION,
            f"{name}.{phrase.phrase_id}",
            discord.ui.Button[Any](label=label, style=style),
        )
        for name, label in labels.items()
        if author_id or name == "out"
    ]
    return compose_view("\n".join(lines), discord.ui.ActionRow[Any](*buttons))


def compose_reason_form(path: str, *, gives_strike: bool) -> Form:
    """Build the form that asks a moderator for a reason."""
    title = texts.STRIKE_OUT_WITH_STRIKE if gives_strike else texts.STRIKE_OUT
    hint = texts.REASON_HINT_STRIKE if gives_strike else texts.REASON_HINT
    form = Form(MODERATION, path, title=title())
    field = discord.ui.TextInput[Any](
        custom_id="reason",
        style=discord.TextStyle.paragraph,
        required=False,
        max_length=REASON_MAX,
    )
    form.add_item(discord.ui.Label(text=texts.REASON_FIELD(), description=hint(), component=field))
    return form


def compose_phrase_form(round_id: int) -> JobModal:
    """Build the form for a phrase."""
    form = JobModal("roundadd", round_id, 0, title=texts.PHRASE_FORM())
    hint = texts.PHRASE_HINT(most=MAX_PHRASE_LENGTH)
    form.add_item(_field("phrase", texts.PHRASE_FIELD(), hint, MAX_PHRASE_LENGTH))
    return form


def compose_next_form(round_: Round) -> JobModal:
    """Build the form for the round that goes on from this one."""
    form = JobModal("roundnext", round_.round_id, 0, title=texts.NEXT_FORM())
    form.add_item(_field("theme", texts.THEME_FIELD(), texts.THEME_HINT(), MAX_THEME_LENGTH))
    hint = texts.MINUTES_HINT(least=MIN_MINUTES, most=MAX_MINUTES)
    minutes = round((round_.closes_at - round_.opened_at) / 60)
    default = str(min(max(minutes, MIN_MINUTES), MAX_MINUTES))
    form.add_item(_field("minutes", texts.MINUTES_FIELD(), hint, len(str(MAX_MINUTES)), default))
    return form


def compose_history(
    states: Sequence[RoundState], *, older: int | None, is_first: bool
) -> discord.ui.LayoutView:
    """Show a page of finished rounds. older: the id that the next page is before."""
    lines = [_describe_past(each) for each in states]
    if not lines:
        empty = texts.HISTORY_EMPTY if is_first and older is None else texts.HISTORY_PAGE_EMPTY
        lines = [empty()]
    row = None
    if older is not None:
        button = discord.ui.Button[Any](label=texts.NEXT_PAGE())
        row = discord.ui.ActionRow[Any](PanelItem(PANEL, f"history.{older}", button))
    return compose_view("\n".join([texts.HISTORY(), *lines]), row)


def compose_help() -> discord.ui.LayoutView:
    """Explain how a round works."""
    return compose_view("\n".join(text() for text in texts.HOW_IT_WORKS))


def say_added(phrase: Phrase) -> str:
    """Answer the author of a new phrase."""
    if phrase.status is PhraseStatus.HELD:
        return texts.HELD(reason=say(phrase.held_for))
    return texts.JOINED(phrase=quote(phrase.text))


def say_taken_back(phrase: Phrase) -> str:
    """Answer the author of a phrase that was taken back."""
    return texts.TAKEN_BACK(phrase=quote(phrase.text))


def say_struck_out(phrase: Phrase, *, gives_strike: bool) -> str:
    """Answer the moderator who struck out a phrase."""
    said = texts.STRUCK_OUT_WITH_STRIKE if gives_strike else texts.STRUCK_OUT
    return said(phrase=quote(phrase.text))


def _describe_past(state: RoundState) -> str:
    round_ = state.round
    assert round_.winner is not None
    votes = round_.tally[round_.winner - 1] if round_.tally else 0
    theme = quote(round_.theme, 60) or texts.PHRASE_DELETED()
    line = texts.HISTORY_LINE(
        at=round_.ended_at or round_.closes_at,
        theme=theme,
        panel=round_.winner,
        votes=texts.VOTES(count=votes),
    )
    link = f" · {texts.SEE_ROUND(link=link_to(round_))}" if round_.message_id else ""
    return f"• {line}{link}"


def _turn(items: Sequence[Any], page: int, size: int) -> tuple[int, Sequence[Any], int]:
    """Return the page that exists, what is on it, and the number of pages."""
    num_pages = max(-(-len(items) // size), 1)
    page = min(max(page, 0), num_pages - 1)
    return page, items[page * size : (page + 1) * size], num_pages


def _say_page(page: int, num_pages: int) -> list[str]:
    return [f"-# {texts.PAGE(page=page + 1, num_pages=num_pages)}"] if num_pages > 1 else []


def _row_of_pages(
    path: str, page: int, num_pages: int, panel: str = PANEL
) -> discord.ui.ActionRow[Any] | None:
    """Build the buttons to the pages before and after this one."""
    if num_pages == 1:
        return None
    pages = ((page - 1, texts.PREVIOUS_PAGE), (page + 1, texts.NEXT_PAGE))
    buttons = [
        PanelItem(
            panel,
            f"{path}.{number}",
            discord.ui.Button[Any](label=label(), disabled=not 0 <= number < num_pages),
        )
        for number, label in pages
    ]
    return discord.ui.ActionRow[Any](*buttons)


def _option(phrase: Phrase, *, is_chosen: bool = False) -> discord.SelectOption:
    """Build a choice. Discord shows its label as it is: without markdown, mentions and links."""
    is_held = phrase.status is PhraseStatus.HELD
    return discord.SelectOption(
        label=cut(" ".join(phrase.text.split()), _LABEL_MAX),
        value=str(phrase.phrase_id),
        description=job_texts.HELD() if is_held else texts.VOTES(count=phrase.votes),
        default=is_chosen,
    )


def _field(
    name: str, label: str, hint: str, most: int, default: str | None = None
) -> discord.ui.Label[Any]:
    text = discord.ui.TextInput[Any](custom_id=name, max_length=most, default=default)
    return discord.ui.Label(text=label, description=hint, component=text)
