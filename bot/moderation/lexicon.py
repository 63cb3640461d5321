"""Reads the packaged lists of terms, and finds words in scripts without spaces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from bot.moderation.chunks import part
from bot.moderation.readings import Form, Reading
from bot.moderation.text import normalise

_KATAKANA = "ァ-ヺー"
UNSPACED = re.compile(r"[぀-ヿ一-鿿]")
_AGE_WORDS = ("歳", "才", "未満")
Lexicon = Mapping[str, Sequence[str]]


def read_lexicon() -> Lexicon:
    """Return the English terms of each category, in lower case."""
    return json.loads(Path(__file__).with_name("lexicon.json").read_text("utf-8"))


def read_languages() -> Mapping[str, Lexicon]:
    """Return the terms of each category for other languages, by language."""
    return json.loads(Path(__file__).with_name("lexicon_languages.json").read_text("utf-8"))


def unite(lexicons: Iterable[Lexicon]) -> Lexicon:
    """Join several lexicons: all terms of each category, without repeats."""
    united: dict[str, list[str]] = {}
    for lexicon in lexicons:
        for category, terms in lexicon.items():
            united.setdefault(category, []).extend(terms)
    return {category: tuple(dict.fromkeys(terms)) for category, terms in united.items()}


class Segmenter:
    """Puts spaces around known Japanese words. Longer words come first."""

    def __init__(self, terms: Iterable[str]) -> None:
        known = {normalise(term) for term in chain(terms, _AGE_WORDS) if UNSPACED.search(term)}
        ordered = sorted(known, key=lambda term: (-len(term), term))
        # Checking one character is quicker than trying all terms, and rules out most positions.
        first = re.escape("".join(sorted({term[0] for term in ordered})))
        self._known = re.compile(f"(?=[{first}])(?:{'|'.join(map(_bound, ordered))})")

    def segment(self, reading: Reading) -> Reading:
        """Return the reading with spaces, or unchanged if it has no such words."""
        if reading.text.isascii() or reading.is_spelled or reading.form is Form.MASKED:
            return reading
        # other words cannot contain a Japanese term
        words = [word for word in reading.distinct if not word.isascii()]
        if self._known.search(" ".join(words)) is None:
            return reading
        text = self._known.sub(r" \g<0> ", reading.text)
        distinct = frozenset(part(text).split())
        return Reading(reading.form, text, distinct, distinct & reading.odd)


def _bound(term: str) -> str:
    """Return a regex. Katakana terms must be whole words, because "nude" is part of "noodle"."""
    if re.fullmatch(rf"[{_KATAKANA}]+", term):
        return rf"(?<![{_KATAKANA}]){term}(?![{_KATAKANA}])"
    return re.escape(term)
