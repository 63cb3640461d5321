"""Composes the prompt of a round from its theme and phrases, and estimates how much fits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from bot.domain.jobs import Origin, Source
from bot.domain.recipes import Ask
from bot.domain.rounds import SEPARATOR, Choosing, Phrase, Round, compose_prompt

MAX_COMPANY = 2000
"""A new phrase is judged together with at most so many characters of the newest other phrases.

This is only the first check: before a prompt is drawn, all of it is judged.
"""

_PIECE = re.compile(r"[^\W\d_]+|\d|[^\w\s]+|_")
_BYTES_PER_TOKEN = 2.0


def estimate_tokens(text: str, letters_per_token: float) -> int:
    """Estimate how many tokens the model's tokenizer makes of a text.

    The tokenizer is loaded with the model, which may be in another process. So this function
    counts: each digit and each run of signs is one token, and a word has one token for every
    ``letters_per_token`` letters. Letters outside ASCII count by their bytes. If the estimate is
    too low, the model cuts off the end of the prompt, and the message with the pictures says which
    words were cut.
    """
    return sum(_count(piece, letters_per_token) for piece in _PIECE.findall(text))


def _count(piece: str, letters_per_token: float) -> int:
    if piece.isascii():
        return math.ceil(len(piece) / letters_per_token) if piece.isalpha() else 1
    return math.ceil(len(piece.encode()) / min(letters_per_token, _BYTES_PER_TOKEN))


def compose_company(theme: str, others: Sequence[str], phrase: str) -> str:
    """Return the text in which to judge a phrase: theme, newest other phrases, the phrase."""
    kept: list[str] = []
    room = MAX_COMPANY
    for other in reversed(others):
        room -= len(other) + len(SEPARATOR)
        if room < 0:
            break
        kept.append(other)
    return compose_prompt(theme, [*reversed(kept), phrase])


def sort_phrases(round_: Round, phrases: Iterable[Phrase]) -> list[Phrase]:
    """Sort phrases by how likely they are to be drawn: by votes if these decide, then by age."""
    counts = round_.choosing is Choosing.VOTES
    return sorted(phrases, key=lambda each: (-each.votes if counts else 0, each.phrase_id))


def compose_origin(round_: Round) -> Origin:
    """Return where a round's job comes from. It belongs to no single member.

    joined_at is long ago, so the prompt is not reviewed as that of a newcomer: the phrases of
    newcomers were reviewed one by one.
    """
    return Origin(
        guild_id=round_.guild_id,
        channel_id=round_.channel_id,
        parent_channel_id=round_.parent_channel_id,
        age_restricted=round_.age_restricted,
        joined_at=0.0,
        source=Source.ROUND,
        guild_locale=round_.guild_locale,
    )


def compose_ask(round_: Round, phrases: Sequence[Phrase]) -> Ask:
    """Return what is drawn for a round with these phrases."""
    return Ask(
        compose_prompt(round_.theme, [each.text for each in phrases]),
        width=round_.width,
        height=round_.height,
        start=round_.start,
    )
