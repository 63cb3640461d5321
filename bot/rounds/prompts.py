"""Composes the prompt of a round from its theme and phrases, and estimates how much fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bot.domain.jobs import Origin, Source
from bot.domain.recipes import Ask
from bot.domain.rounds import SEPARATOR, Choosing, Phrase, Round, compose_prompt

MAX_COMPANY = 2000
"""How many characters of the other phrases a new phrase is judged with; the newest come first. The
prompt that is drawn is judged as a whole, whatever was judged before.
"""

TOKENS_PER_WORD = 1.3
_PIECE = re.compile(r"[^\W\d_]+|\d|[^\w\s]+|_")
_LETTERS_PER_TOKEN = 6


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens CLIP's tokenizer makes of a text.

    The tokenizer itself is loaded with the model, which may be in another process. This rule counts
    one token for each digit, each run of signs, and each six letters of a word. Letters outside
    ASCII count by their bytes. It is more often too high than too low. If it is too low, the model
    cuts the end, and the message of the pictures says which words.
    """
    return sum(_count(piece) for piece in _PIECE.findall(text))


def _count(piece: str) -> int:
    if piece.isascii():
        return -(-len(piece) // _LETTERS_PER_TOKEN) if piece.isalpha() else 1
    return len(piece.encode()) // 2 + 1


def compose_company(theme: str, others: Sequence[str], phrase: str) -> str:
    """Return the text in which a new phrase is judged: with the theme and the newest others."""
    kept: list[str] = []
    room = MAX_COMPANY
    for other in reversed(others):
        room -= len(other) + len(SEPARATOR)
        if room < 0:
            break
        kept.append(other)
    return compose_prompt(theme, [*reversed(kept), phrase])


def sort_phrases(round_: Round, phrases: Iterable[Phrase]) -> list[Phrase]:
    """Sort phrases by how likely they are drawn: by votes if the round has any, then by time."""
    counts = round_.choosing is Choosing.VOTES
    return sorted(phrases, key=lambda each: (-each.votes if counts else 0, each.phrase_id))


def choose_phrases(
    round_: Round, phrases: Iterable[Phrase], max_tokens: int, max_length: int
) -> list[Phrase]:
    """Choose the likeliest phrases that fit into the prompt; later ones may be shorter and fit."""
    tokens = max_tokens - estimate_tokens(round_.theme)
    length = max_length - len(round_.theme)
    chosen: list[Phrase] = []
    for each in sort_phrases(round_, phrases):
        text = SEPARATOR + each.text
        if estimate_tokens(text) <= tokens and len(text) <= length:
            chosen.append(each)
            tokens -= estimate_tokens(text)
            length -= len(text)
    return chosen


def count_words_left(round_: Round, phrases: Iterable[Phrase], max_tokens: int) -> int:
    """Return about how many more words fit into the prompt."""
    texts = (each.text for each in phrases)
    used = estimate_tokens(compose_prompt(round_.theme, texts))
    return max(int((max_tokens - used) / TOKENS_PER_WORD), 0)


def compose_origin(round_: Round) -> Origin:
    """Return where a round's job comes from. It belongs to no single member.

    joined_at: newcomers' phrases were reviewed one by one.
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
