"""Makes the English plural and simple verb forms of a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

# in letters; longer words would have too many forms for a server's rules
_MIN_LETTERS, _MAX_LETTERS = 3, 14
_HISSING = ("s", "x", "z", "ch", "sh")
_INFLECTED = ("ed", "ing", "ies")
# Words that double their last letter, as in: dig, digging.
_SHORT = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
# British English doubles the l, as in: shovelled.
_LAST_MAY_DOUBLE = re.compile(r"[^aeiou][aeiou][^aeiouwxy]")


def list_inflections(word: str) -> Iterator[str]:
    """List other forms of a word; none for words that are short, very long or not English.

    The forms follow English spelling rules, so that "rap" does not give "raped".
    """
    if not _MIN_LETTERS <= len(word) <= _MAX_LETTERS or not (word.isascii() and word.isalpha()):
        return
    has_soft_y = word.endswith("y") and word[-2] not in "aeiou"
    if has_soft_y:
        yield word[:-1] + "ies"
    elif word.endswith(_HISSING):
        yield word + "es"
    else:
        yield word + "s"
        if word.endswith("o"):
            yield word + "es"
    if word.endswith(_INFLECTED):
        return
    if has_soft_y:
        yield word[:-1] + "ied"
        yield word + "ing"
    elif word.endswith("e"):
        yield word + "d"
        yield (word if word.endswith("ee") else word[:-1]) + "ing"
    else:
        for stem in _list_stems(word):
            yield stem + "ed"
            yield stem + "ing"


def _list_stems(word: str) -> tuple[str, ...]:
    if word.endswith("c"):
        return (word + "k",)
    if _SHORT.fullmatch(word):
        return (word + word[-1],)
    if _LAST_MAY_DOUBLE.fullmatch(word[-3:]):
        return (word, word + word[-1])
    return (word,)
