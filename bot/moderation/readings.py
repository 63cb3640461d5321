"""The ways a text can be read. Each undoes one kind of disguise; rules are tried on all."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot.moderation.text import collapse, fold, fold_lookalikes, turn_round

EITHER_I_OR_L = "I"  # what 1, ! and | become in leetspeak; all other letters are small

_PARTED = bytes(code if code > 127 or chr(code).isalnum() else 32 for code in range(256))
_NO_LETTER = re.compile(r"[^\w ]")
# Possessive quantifiers where a hostile text could make the search backtrack too much.
_WEIGHT = re.compile(r":\s?[-+]?(?:\d++(?:\.\d++)?|\.\d++)\s?(?=[)\]}>])")  # (word:1.2)
_ENTITY = re.compile(r"&#(?:x([0-9a-f]{1,6})|(\d{1,7}));", re.IGNORECASE)
_BRACKETS = dict.fromkeys("()[]{}<>", "")
_MASKS = frozenset("*#%?•×✱✳\u2217█■▇●")
_MASKED_WORD = re.compile(
    r"(?<![^\W_])[^\W_]++(?:[*#%?•×✱✳\u2217█■▇●]{1,2}[^\W_]++)+(?:[*#](?![^\W_]))?"
)
# Commas and the like separate words. Hyphens, dots, quotes, stars and emoji may be inside one.
_INSIDE_WORD = re.compile(r"[^\w\s,;:!?&/+|=](?<=\w.)[^\w\s,;:!?&/+|=]*+(?=\w)")
_SPELLED = re.compile(r" \w(?: {1,4}\w)+(?= )")  # in a text of words and spaces
REPEATED = re.compile(r"([^\W_])\1\1|(?<![^\W_])(?:([^\W_])\2){2,}(?![^\W_])")
_DRAWN = {  # letters drawn with several characters, longest first; they become capitals
    r"|\/|": "M", "/\\/\\": "M", r"\/\/": "W", r"|\|": "N", r"/\/": "N", "|_|": "U",
    "|-|": "H", r"\/": "V", "/\\": "A", "|<": "K", "|)": "D", "|>": "P", "|=": "F",
    "|_": "L", "()": "O", "[]": "O", "><": "X", "(_)": "U", "[_]": "U", "[)": "D", "[}": "D",
    "|}": "D", "|]": "D", "^^": "M", "}{": "H",
}  # fmt: skip
_DRAWN_PARTS = ("|", "/", "\\", "()", "[]", "><", "_)", "_]", "[)", "[}", "^^", "}{")
_DRAWN_LETTER = re.compile("|".join(map(re.escape, sorted(_DRAWN, key=len, reverse=True))))
_OPEN = re.compile(r"\((?=\w[^()\s]*(?:\s|$))")  # a bracket that is not closed in the same word
_MODEL = re.compile(r"[A-Z]{1,2}\d{2,}(?![^\W_])")
_NAMED_MODEL = re.compile(r"model ([a-z]\d{2,})(?![^\W_])")
_DIGITS = {"0": "o", "1": EITHER_I_OR_L, "2": "z", "3": "e", "4": "a", "5": "s", "6": "g",
           "7": "t", "8": "b", "9": "g"}  # fmt: skip
_SYMBOLS = {"@": "a", "$": "s", "!": EITHER_I_OR_L, "|": EITHER_I_OR_L, "+": "t", "€": "e",
            "£": "l", "¥": "y", "¢": "c", "©": "c", "®": "r", "§": "s", "^": "a",
            "°": "o"}  # fmt: skip
_AROUND_WORDS = ".,;:!?()[]{}<>\"'*_"
_QUOTED = _AROUND_WORDS + "“”„«»‘’&/-"  # noqa: RUF001
_LEET = _DIGITS | _SYMBOLS


class Form(StrEnum):
    """The disguise that was undone to read a word, as moderators see it."""

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

    is_spelled: ``words`` are runs of single letters, whose ends are not ends of words.
    distinct: the same words, each once. odd: words among them that may be disguised.
    """

    form: Form
    text: str
    words: list[str]
    distinct: frozenset[str]
    odd: frozenset[str]
    is_spelled: bool = False


def list_readings(text: str, *, latin_only: bool = False) -> list[Reading]:
    """List every way to read a text, without those that equal an earlier one.

    latin_only: no rule has words of other scripts, except as typed.
    """
    folded = fold(_ENTITY.sub(_read_entity, text))  # tokenizers of Stable Diffusion do so, too
    base = collapse(folded.casefold())
    look = base if base.isascii() else fold_lookalikes(folded)
    composer = _Composer(has_repeats=REPEATED.search(look) is not None)
    seen: set[str] = set()
    spellings: set[tuple[Form, str]] = set()
    readings: list[Reading] = []
    for form, read in _list_texts(folded, base, look, latin_only):
        if read not in seen:
            seen.add(read)
            parted = _part(read)
            readings.append(composer.compose(form, read, parted.split()))
            spelled = _read_spelled(parted, readings[-1])
            if spelled is not None and (spelled.form, spelled.text) not in spellings:
                spellings.add((spelled.form, spelled.text))
                readings.append(spelled)
    if any(mask in look for mask in _MASKS):
        masked = [word for word in look.split(" ") if not _MASKS.isdisjoint(word)]
        words = _MASKED_WORD.findall(" ".join(masked))
        readings.append(composer.compose(Form.MASKED, " ".join(words), words))
    return readings


class _Composer:
    """Looks at each word of a text once: its readings share most of them."""

    def __init__(self, *, has_repeats: bool) -> None:
        """has_repeats: whether letters stand somewhere more often than in any word."""
        self._has_repeats = has_repeats
        self._seen: set[str] = set()
        self._odd: set[str] = set()

    def compose(self, form: Form, text: str, words: list[str]) -> Reading:
        distinct = frozenset(words)
        unseen = distinct - self._seen
        self._seen |= unseen
        self._odd.update(
            word
            for word in unseen
            if not word.isalpha()
            or EITHER_I_OR_L in word
            or (self._has_repeats and REPEATED.search(word) is not None)
        )
        return Reading(form, text, words, distinct, distinct & self._odd)


def _list_texts(folded: str, base: str, look: str, latin_only: bool) -> Iterator[tuple[Form, str]]:
    yield Form.PLAIN, base
    yield Form.LOOKALIKES, look
    for text in (look,) if latin_only else (base, look):
        yield Form.JOINED, _join_inside(_strip_weights(text))
    yield from _read_leet(_WEIGHT.sub("", look), _list_models(folded))
    turned = turn_round(folded)
    if turned is not None:
        yield Form.TURNED, turned


def _read_leet(text: str, kept: frozenset[str]) -> Iterator[tuple[Form, str]]:
    """Yield the text with digits and symbols as letters and, if different, with digits only.

    kept: words that stay as they are.
    """
    drawn = text
    if any(part in text for part in _DRAWN_PARTS):
        drawn = _DRAWN_LETTER.sub(lambda part: _DRAWN[part[0]], text)
    leet = _translate(drawn, _LEET, kept)
    yield Form.LEET, leet
    yield Form.LEET, _join_inside(_strip_weights(leet))
    if text.count("(") > text.count(")"):  # none of them is a bracket of a weight
        opened = _translate(_OPEN.sub("c", drawn), _LEET, kept)
        yield Form.LEET, " ".join(_pick_changed(opened, leet))
    digits = _translate(text, _DIGITS, kept)
    if digits != leet:
        yield Form.LEET, " ".join(_pick_changed(digits, leet))


def _pick_changed(text: str, other: str) -> list[str]:
    """List the words of a text that another reading of it does not have."""
    pairs = zip(text.split(" "), other.split(" "), strict=True)
    return [one for one, another in pairs if one != another]


def _list_models(folded: str) -> frozenset[str]:
    """List model names such as Galaxy A55, in small letters; they are no disguise."""
    if folded.isupper():
        return frozenset()
    models = [
        found[0].lower()
        for found in _MODEL.finditer(folded)
        if not folded[found.start() - 1 : found.start()].isalnum()
    ]
    return frozenset(models + _NAMED_MODEL.findall(folded))


def _read_spelled(parted: str, reading: Reading) -> Reading | None:
    """Join runs of single letters."""
    if reading.form is Form.JOINED or 1 not in map(len, reading.distinct):
        return None
    runs = [run.replace(" ", "") for run in _SPELLED.findall(f" {parted} ")]
    if not runs:
        return None
    form = Form.LEET if reading.form is Form.LEET else Form.JOINED
    return Reading(form, " ".join(runs), runs, frozenset(runs), frozenset(), is_spelled=True)


def _part(text: str) -> str:
    """Replace every character that is no letter or digit by a space, ASCII first."""
    parted = text.encode().translate(_PARTED).decode()
    return parted if text.isascii() else _NO_LETTER.sub(" ", parted)


def _strip_weights(text: str) -> str:
    return _replace(_WEIGHT.sub("", text), _BRACKETS)


def _join_inside(text: str) -> str:
    return _INSIDE_WORD.sub("", text.replace("_", "-"))


def _translate(text: str, table: dict[str, str], kept: frozenset[str] = frozenset()) -> str:
    translated = _replace(text.lower(), table)
    if translated == text:
        return text
    pairs = zip(text.split(" "), translated.split(" "), strict=True)
    return " ".join(
        [
            new if new == old or (_is_word(old) and not (kept and _is_kept(old, kept))) else old
            for old, new in pairs
        ]
    )


def _is_kept(chunk: str, kept: frozenset[str]) -> bool:
    return chunk.strip(_QUOTED) in kept


def _replace(text: str, table: dict[str, str]) -> str:
    """Do the same as ``str.translate``, which is ten times slower if a text is not ASCII."""
    for old, new in table.items():
        text = text.replace(old, new)
    return text


def _is_word(chunk: str) -> bool:
    """Return whether it is a word. Numbers and 8k are not; single letters may spell one."""
    size = len(chunk.strip(_AROUND_WORDS))
    return size == 1 or (size > 2 and chunk.lower() != chunk.upper())


def _read_entity(entity: re.Match[str]) -> str:
    code = int(entity[1], 16) if entity[1] else int(entity[2])
    return chr(code) if code <= sys.maxunicode else entity[0]
