"""The ways a text can be read: each undoes one kind of disguise. Rules are held against all."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.moderation.text import collapse, fold, fold_lookalikes, turn_round

EITHER_I_OR_L = "I"  # what 1, ! and | become in leetspeak; all other letters are small

_WORD = re.compile(r"\w+")
# Possessive quantifiers where a hostile text could make the search go back over itself.
_WEIGHT = re.compile(r":\s?[-+]?(?:\d++(?:\.\d++)?|\.\d++)\s?(?=[)\]}>])")  # (word:1.2)
_ENTITY = re.compile(r"&#(?:x([0-9a-f]{1,6})|(\d{1,7}));", re.IGNORECASE)
_BRACKETS = dict.fromkeys("()[]{}<>", "")
_MASKS = frozenset("*#%?•")
_MASKED_WORD = re.compile(r"(?<![^\W_])[^\W_]++(?:[*#%?•]{1,2}[^\W_]++)+")
# Commas and the like part words; hyphens, dots, quotes, stars and pictures may stand within one.
_INSIDE_WORD = re.compile(r"[^\w\s,;:!?&/+|=](?<=\w.)[^\w\s,;:!?&/+|=]*+(?=\w)")
_SPELLED = re.compile(r"(?<!\w)\w(?:[\W]{1,4}\w)+(?!\w)")
REPEATED = re.compile(r"([^\W_])\1\1|(?<![^\W_])(?:([^\W_])\2){2,}(?![^\W_])")
_DRAWN = {  # drawn with several characters, the longer first; capitals mark them
    r"|\/|": "M", "/\\/\\": "M", r"\/\/": "W", r"|\|": "N", r"/\/": "N", "|_|": "U",
    "|-|": "H", r"\/": "V", "/\\": "A", "|<": "K", "|)": "D", "|>": "P", "|=": "F",
    "|_": "L", "()": "O", "[]": "O", "><": "X",
}  # fmt: skip
_DRAWN_PARTS = ("|", "/", "\\", "()", "[]", "><")
_DRAWN_LETTER = re.compile("|".join(map(re.escape, _DRAWN)))
_DIGITS = {"0": "o", "1": EITHER_I_OR_L, "2": "z", "3": "e", "4": "a", "5": "s", "6": "g",
           "7": "t", "8": "b", "9": "g"}  # fmt: skip
_SYMBOLS = {"@": "a", "$": "s", "!": EITHER_I_OR_L, "|": EITHER_I_OR_L, "+": "t", "€": "e",
            "£": "l", "¥": "y", "¢": "c", "©": "c", "®": "r", "§": "s", "^": "a"}  # fmt: skip
_AROUND_WORDS = ".,;:!?()[]{}<>\"'*_"
_LEET = _DIGITS | _SYMBOLS


class Form(StrEnum):
    """What was undone to read a word, as moderators are told."""

    PLAIN = "as typed"
    LOOKALIKES = "look-alike letters"
    JOINED = "joined letters"  # across prompt weights, hyphens, pictures
    LEET = "leetspeak"
    TURNED = "upside down"
    SQUEEZED = "squeezed repeats"
    MASKED = "masked letters"
    TRIMMED = "digits cut off"


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read one way, and its words.

    is_spelled: ``words`` are runs of single letters, whose borders say nothing.
    distinct: the same words, each once; odd: those of them that may be a disguised word.
    """

    form: Form
    text: str
    words: list[str]
    distinct: frozenset[str]
    odd: frozenset[str]
    is_spelled: bool = False


def list_readings(text: str, *, latin_only: bool = False) -> list[Reading]:
    """Every way to read it; one that would equal an earlier one is left out.

    latin_only: nobody looks for words of other scripts, beyond those in the text as typed.
    """
    folded = fold(_ENTITY.sub(_read_entity, text))  # tokenizers of Stable Diffusion do so, too
    base = collapse(folded.casefold())
    look = base if base.isascii() else fold_lookalikes(folded)
    has_repeats = REPEATED.search(look) is not None
    seen: set[str] = set()
    spellings: set[tuple[Form, str]] = set()
    readings: list[Reading] = []
    for form, read in _list_texts(folded, base, look, latin_only):
        if read not in seen:
            seen.add(read)
            words = _split(read)
            readings.append(_compose(form, read, words, has_repeats=has_repeats))
            spelled = _read_spelled(form, read, words)
            if spelled is not None and (spelled.form, spelled.text) not in spellings:
                spellings.add((spelled.form, spelled.text))
                readings.append(spelled)
    if not _MASKS.isdisjoint(look):
        masked = [word for word in look.split(" ") if not _MASKS.isdisjoint(word)]
        words = _MASKED_WORD.findall(" ".join(masked))
        readings.append(_compose(Form.MASKED, " ".join(words), words))
    return readings


def _compose(
    form: Form, text: str, words: list[str], *, is_spelled: bool = False, has_repeats: bool = False
) -> Reading:
    """has_repeats: whether letters stand somewhere more often than in any word."""
    distinct = frozenset(words)
    odd = [
        word
        for word in distinct
        if not word.isalpha()
        or EITHER_I_OR_L in word
        or (has_repeats and REPEATED.search(word) is not None)
    ]
    return Reading(form, text, words, distinct, frozenset(odd), is_spelled)


def _list_texts(folded: str, base: str, look: str, latin_only: bool) -> Iterator[tuple[Form, str]]:
    yield Form.PLAIN, base
    yield Form.LOOKALIKES, look
    for text in (look,) if latin_only else (base, look):
        yield Form.JOINED, _join_inside(_strip_weights(text))
    yield from _read_leet(_WEIGHT.sub("", look))
    turned = turn_round(folded)
    if turned is not None:
        yield Form.TURNED, turned


def _read_leet(text: str) -> Iterator[tuple[Form, str]]:
    """Digits and symbols as letters; where that differs, also with symbols as punctuation."""
    drawn = text
    if any(part in text for part in _DRAWN_PARTS):
        drawn = _DRAWN_LETTER.sub(lambda part: _DRAWN[part[0]], text)
    leet = _translate(drawn, _LEET)
    yield Form.LEET, leet
    yield Form.LEET, _join_inside(_strip_weights(leet))
    digits = _translate(text, _DIGITS)
    if digits != leet:
        pairs = zip(digits.split(" "), leet.split(" "), strict=True)
        yield Form.LEET, " ".join([one for one, other in pairs if one != other])


def _read_spelled(form: Form, text: str, words: list[str]) -> Reading | None:
    """Runs of single letters, joined."""
    if form is Form.JOINED:
        return None
    if b"\1\1" not in bytes([len(word) == 1 for word in words]):
        return None
    runs = ["".join(_WORD.findall(run)) for run in _SPELLED.findall(text.replace("_", "-"))]
    if not runs:
        return None
    form = Form.LEET if form is Form.LEET else Form.JOINED
    return _compose(form, " ".join(runs), runs, is_spelled=True)


def _split(text: str) -> list[str]:
    """Letters and digits; twice as quick as searching for what is neither \\W nor _."""
    return _WORD.findall(text.replace("_", " "))


def _strip_weights(text: str) -> str:
    return _replace(_WEIGHT.sub("", text), _BRACKETS)


def _join_inside(text: str) -> str:
    return _INSIDE_WORD.sub("", text.replace("_", "-"))


def _translate(text: str, table: dict[str, str]) -> str:
    translated = _replace(text.lower(), table)
    if translated == text:
        return text
    pairs = zip(text.split(" "), translated.split(" "), strict=True)
    return " ".join([new if new == old or _is_word(old) else old for old, new in pairs])


def _replace(text: str, table: dict[str, str]) -> str:
    """As ``str.translate``, which takes ten times as long where a text is not ASCII."""
    for old, new in table.items():
        text = text.replace(old, new)
    return text


def _is_word(chunk: str) -> bool:
    """Numbers and 8k stay as they are; a single character may belong to a spelled word."""
    size = len(chunk.strip(_AROUND_WORDS))
    return size == 1 or (size > 2 and chunk.lower() != chunk.upper())


def _read_entity(entity: re.Match[str]) -> str:
    code = int(entity[1], 16) if entity[1] else int(entity[2])
    return chr(code) if code <= sys.maxunicode else entity[0]
