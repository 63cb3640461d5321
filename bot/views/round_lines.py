"""The lines of a round's message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.domain.rounds import PANELS, Phrase, Round, RoundState, RoundStatus, draw_lot
from bot.texts import jobs as job_texts
from bot.texts import rounds as texts
from bot.texts.lists import AND_MORE
from bot.texts.reasons import say
from bot.texts.units import say_list
from bot.views.escape import quote

TEXT_MAX = 4000  # characters that Discord shows in a message
THEME_SHOWN = 200
_ROOM_FOR_REST = 150  # characters for the line that counts the phrases that did not fit
_ANCESTORS_SHOWN = 5
_AUTHORS_SHOWN = 20


def link_to(round_: Round) -> str:
    """Return the address of the round's message."""
    return f"https://discord.com/channels/{round_.guild_id}/{round_.channel_id}/{round_.message_id}"


def describe_phrase(phrase: Phrase, *, has_votes: bool) -> str:
    """Describe a phrase in one line, with its author unless they are hidden."""
    parts = [quote(phrase.text) or texts.PHRASE_DELETED()]
    if phrase.user_id and phrase.text:
        parts.append(f"<@{phrase.user_id}>")
    if has_votes:
        parts.append(texts.VOTES(count=phrase.votes))
    return f"• {' · '.join(parts)}"


def say_title(round_: Round) -> str:
    return texts.TITLE(theme=quote(round_.theme, THEME_SHOWN) or texts.PHRASE_DELETED())


def list_facts(state: RoundState) -> list[str]:
    """List who started an open round, when it closes, its phrases, and how many words fit."""
    round_ = state.round
    about = [texts.CLOSES(at=round_.closes_at)]
    if round_.starter_id:
        about.append(texts.STARTED_BY(starter_id=round_.starter_id))
    if round_.style:
        about.append(texts.STYLE(style=quote(round_.style)))
    facts = [" · ".join(about), *_list_ancestors(state)]
    said = [_say_counts(state)] if state.phrases else []
    if state.words_left:
        said.append(texts.WORDS_LEFT(count=state.words_left))
    elif state.words_left == 0:
        said.append(texts.PROMPT_FULL())
    if state.num_held:
        said.append(texts.WAITING(count=state.num_held))
    if round_.is_anonymous:
        said.append(texts.AUTHORS_LATER())
    return [*facts, " ".join(said)] if said else facts


def _say_counts(state: RoundState) -> str:
    phrases = texts.PHRASES(count=len(state.phrases))
    authors = {each.user_id for each in state.phrases} - {0}
    if authors:
        people = texts.PEOPLE(count=len(authors))
        phrases = texts.PHRASES_FROM(phrases=phrases, people=people)
    return f"**{phrases}.**"


def list_results(state: RoundState) -> list[str]:
    """List what is below the pictures: how the vote stands, or how the round ended."""
    round_, job = state.round, state.job
    lines: list[str] = []
    if job is not None and job.hidden:
        lines.append(job_texts.HIDDEN())
    elif job is not None and job.deleted_by:
        lines.append(texts.PICTURES_REMOVED())
    if round_.status is RoundStatus.VOTING and round_.votes_until is not None:
        lines.append(texts.VOTE(at=round_.votes_until))
    if round_.winner is not None:
        lines += [say_won(state), say_authors(state)]
    elif round_.status.is_over and round_.reason is not None:
        lines.append(say(round_.reason))
    lines.append(_say_tally(state))
    return [*filter(None, lines), *_list_ancestors(state)]


def _say_tally(state: RoundState) -> str:
    if state.tally is None:
        return ""
    counts = [
        texts.TALLY(panel=panel, votes=texts.VOTES(count=count))
        for panel, count in zip(PANELS, state.tally, strict=False)
    ]
    return f"-# {' · '.join(counts)}"


def say_won(state: RoundState) -> str:
    """Name the winner, and explain the lot if one was drawn."""
    round_ = state.round
    if round_.winner is None:
        return ""
    tally = round_.tally or (0,) * len(PANELS)
    most = tally[round_.winner - 1]
    won = texts.WON(panel=round_.winner, votes=texts.VOTES(count=most))
    if round_.lot_seed is None:
        return won
    shown = state.panels or PANELS
    tied = tuple(n for n, votes in enumerate(tally, 1) if votes == most and n in shown)
    if round_.winner not in tied or draw_lot(tied, round_.lot_seed) != round_.winner:
        return won  # a picture was hidden after the vote
    lot = texts.LOT(
        panels=say_list(tied),
        seed=round_.lot_seed,
        count=len(tied),
        rest=round_.lot_seed % len(tied),
        panel=round_.winner,
    )
    return f"{won}\n-# {lot}"


def say_authors(state: RoundState) -> str:
    authors = [f"<@{each}>" for each in state.authors]
    if not authors:
        return ""
    if len(authors) > _AUTHORS_SHOWN:
        rest = len(authors) - _AUTHORS_SHOWN
        authors = [*authors[:_AUTHORS_SHOWN], AND_MORE(count=rest)]
    return texts.AUTHORS(authors=", ".join(authors))


def _list_ancestors(state: RoundState) -> list[str]:
    shown = state.ancestors[-_ANCESTORS_SHOWN:]
    if not shown:
        return []
    themes = [quote(each.theme, 40) or texts.PHRASE_DELETED() for each in shown]
    if len(state.ancestors) > len(shown):
        themes.insert(0, "…")
    return [f"-# {texts.ANCESTORS(themes=' → '.join(themes))}"]


def say_older(count: int) -> str:
    return texts.OLDER_PHRASES(count=count)


def say_more(count: int) -> str:
    return AND_MORE(count=count)


def fit_lines(
    head: Sequence[str],
    lines: Sequence[str],
    say_rest: Callable[[int], str],
    room: int = TEXT_MAX,
) -> str:
    """Join the head and as many lines as fit, and count the rest."""
    room -= sum(len(each) + 1 for each in head) + _ROOM_FOR_REST
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"-# {say_rest(len(lines) - len(kept))}")
            break
        kept.append(line)
    return "\n".join([*head, *kept])
