"""Text as the rules see it, and text as it may be kept."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = {"Cf", "Cc", "Cs", "Co", "Cn"}
_MARKS = {"Mn", "Me"}
_BLANK_LETTERS = "\u115f\u1160\u2800"  # Hangul fillers and the empty braille cell look like nothing
_MAX_MARKS_PER_LETTER = 3


def clean_prompt(text: str) -> str:
    """A prompt fit to be kept, shown and drawn.

    Lone surrogates (they cannot be stored) become U+FFFD, control characters and line breaks become
    spaces, text direction overrides go (they would turn our own words around), and more combining
    marks on one letter than any language needs are dropped. Text with nothing
    visible becomes empty.
    """
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category in _MARKS:
            marks += 1
        elif category != "Cf":  # an invisible joiner between two marks does not part them
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
    """The form that rules compare: folded, casefolded, no marks, nothing invisible."""
    folded = unicodedata.normalize("NFKD", text)
    visible = (char for char in folded if char.isspace() or not _is_invisible(char))
    return re.sub(r"\s+", " ", "".join(visible).casefold()).strip()


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE | _MARKS or char in _BLANK_LETTERS


def _is_direction_control(char: str) -> bool:
    return char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
