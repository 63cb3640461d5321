"""Prepares text for rules, and for storage."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

_INVISIBLE = {"Cf", "Cc", "Cs", "Co", "Cn"}
_MARKS = {"Mn", "Me"}
_BLANK_LETTERS = "\u115f\u1160\u2800"  # Hangul fillers and the empty braille cell are invisible
_MAX_MARKS_PER_LETTER = 3
_MAX_CACHED_CHARS = 20_000  # the most characters in a table, which limits its memory
_LATIN_NAME = re.compile(
    r"(?:NEGATIVE (?:SQUARED|CIRCLED) |REGIONAL INDICATOR SYMBOL )?(?:LATIN )?"
    r"(?:(?:SMALL|CAPITAL) )?(?:LETTER|LIGATURE) "
    r"(?:(?:SMALL CAPITAL|TURNED|REVERSED|INVERTED|SIDEWAYS|DOTLESS|SCRIPT|OPEN|LONG|INSULAR|"
    r"BARRED|CLOSED) )*([A-Z]{1,2}|ALPHA|BETA|DELTA|ENG|ESH|ETH|EZH|IOTA|OMEGA|UPSILON)"
    r"(?: WITH .*)?"
)
_NOT_THEIR_INITIAL = {"ESH": "s", "ETH": "d", "EZH": "z", "OMEGA": "w", "ENG": "n"}
_UPSIDE_DOWN = str.maketrans(
    "ɐqɔpǝɟƃɓɥᴉıɾʞʃןꞁɯudbɹsʇnʌʍxʎzwm",  # noqa: RUF001
    "abcdefgghiijklllmnpqrstuvwxyzmw",
)
ONLY_UPSIDE_DOWN = frozenset("ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ")


class CharTable(dict[int, str | None]):
    """A table for ``str.translate`` that computes the replacement of each character only once."""

    def __init__(self, find: Callable[[str], str | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, code: int) -> str | None:
        found = self._find(chr(code))
        if len(self) < _MAX_CACHED_CHARS:
            self[code] = found
        return found


def clean_prompt(text: str) -> str:
    """Make a prompt safe to save, show and draw.

    Lone surrogates become U+FFFD, because they cannot be stored. Control characters and line breaks
    become spaces. Overrides of the text direction are dropped, because they would reverse our own
    words. Combining marks are dropped if one letter has more of them than any language needs. A
    text with nothing visible becomes empty.
    """
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category in _MARKS:
            marks += 1
        elif category != "Cf":  # an invisible joiner between two marks does not separate them
            marks = 0
        if category == "Cs":
            kept.append("\ufffd")
        elif category in {"Cc", "Zl", "Zp"}:
            kept.append(" ")
        elif not _is_direction_control(char) and (
            marks <= _MAX_MARKS_PER_LETTER or category not in _MARKS
        ):
            kept.append(char)
    cleaned = re.sub(r"\s+", " ", "".join(kept)).strip()
    return cleaned if normalise(cleaned) else ""


def normalise(text: str) -> str:
    """Return a text as rules compare it: in lower case, without marks and invisible signs."""
    return collapse(fold(text).casefold())


def fold(text: str) -> str:
    """Replace special forms of letters and digits by plain ones. Drop marks and invisible signs."""
    return text.translate(_FOLDED)


def fold_lookalikes(folded: str) -> str:
    """Replace letters that look like Latin letters by these Latin letters, in lower case."""
    return folded.translate(_LATIN).casefold()


def turn_round(chunks: Iterable[str]) -> str | None:
    """Turn chunks of upside-down letters the right way up; None if there are no chunks."""
    return " ".join(chunks).translate(_UPSIDE_DOWN)[::-1].casefold() or None


def collapse(text: str) -> str:
    """Replace each stretch of white space by one space, and remove it at both ends."""
    return " ".join(text.split())


def _find_folded(char: str) -> str | None:
    if char.isascii():
        return char if char.isprintable() or char.isspace() else None
    kept = (part for part in unicodedata.normalize("NFKD", char) if not _is_invisible(part))
    folded = "".join(kept)
    if len(folded) == 1 and not folded.isascii() and folded.isdigit():
        return str(unicodedata.digit(folded))
    return folded or (" " if char.isspace() else None)


def _find_latin(char: str) -> str:
    if char.isascii():
        return char
    known = _LOOKALIKES.get(char) or _LOOKALIKES.get(char.casefold())
    if known is not None:
        return known
    named = _LATIN_NAME.fullmatch(unicodedata.name(char, ""))
    if named is None:
        return char
    letter = named[1]
    return _NOT_THEIR_INITIAL.get(letter) or (letter if len(letter) < 3 else letter[0]).lower()


def _read_lookalikes() -> dict[str, str]:
    """Read the look-alikes: on each line a Latin letter, and letters that look like it."""
    lines = Path(__file__).with_name("lookalikes.txt").read_text("utf-8").splitlines()
    return {char: line[0] for line in lines for char in line[2:]}


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE | _MARKS or char in _BLANK_LETTERS


def _is_direction_control(char: str) -> bool:
    return char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"


_LOOKALIKES = _read_lookalikes()
_FOLDED = CharTable(_find_folded)
_LATIN = CharTable(_find_latin)
