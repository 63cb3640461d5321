"""Reads a text in several ways. Each way undoes one disguise. Rules judge all these readings."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from bot.moderation.chunks import REPEATED, Chunks, is_repeated, part
from bot.moderation.text import ONLY_UPSIDE_DOWN, fold, fold_lookalikes, turn_round

EITHER_I_OR_L = "I"  # in leetspeak, 1, ! and | become this letter; all other letters are lower case

# The regexes have possessive quantifiers, so that a hostile text cannot make them slow.
# _WEIGHT finds a prompt weight, as in (word:1.2).
_WEIGHT = re.compile(r":\s?[-+]?(?:\d++(?:\.\d++)?|\.\d++)\s?(?=[)\]}>])")
_WEIGHT_IN_CHUNK = re.compile(_WEIGHT.pattern.replace(r"\s?", ""))
_ENTITY = re.compile(r"&#(?:x([0-9a-f]{1,6})|(\d{1,7}));", re.IGNORECASE)
_CLOSING = ")]}>"
_BRACKETS = dict.fromkeys("()[]{}<>", "")
_MASKS = frozenset("*#%?•×✱✳\u2217█■▇●")
_MASKED_WORD = re.compile(
    r"(?<![^\W_])[^\W_]++(?:[*#%?•×✱✳\u2217█■▇●]{1,2}[^\W_]++)+(?:[*#](?![^\W_]))?"
)
# Commas and similar signs separate words. Hyphens, dots, quotes, stars and emoji can be inside one.
_INSIDE_WORD = re.compile(r"[^\w\s,;:!?&/+|=](?<=\w.)[^\w\s,;:!?&/+|=]*+(?=\w)")
_SPELLED = re.compile(r" \w(?: {1,4}\w)+(?= )")  # for texts with only words and spaces
_DRAWN = {  # letters that are drawn with several characters; they become capitals
    r"|\/|": "M", "/\\/\\": "M", r"\/\/": "W", r"|\|": "N", r"/\/": "N", "|_|": "U",
    "|-|": "H", r"\/": "V", "/\\": "A", "|<": "K", "|)": "D", "|>": "P", "|=": "F",
    "|_": "L", "()": "O", "[]": "O", "><": "X", "(_)": "U", "[_]": "U", "[)": "D", "[}": "D",
    "|}": "D", "|]": "D", "^^": "M", "}{": "H",
}  # fmt: skip
_DRAWN_PARTS = ("|", "/", "\\", "()", "[]", "><", "_)", "_]", "[)", "[}", "^^", "}{")
_DRAWN_LETTER = re.compile("|".join(map(re.escape, sorted(_DRAWN, key=len, reverse=True))))
_OPEN = re.compile(r"\((?=\w[^()\s]*(?:\s|$))")  # a bracket that is not closed within its word
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
    """The disguise that a reading undoes, as moderators see it."""

    PLAIN = "as typed"
    LOOKALIKES = "look-alike letters"
    JOINED = "joined letters"  # letters that were joined across prompt weights, hyphens and emoji
    LEET = "leetspeak"
    TURNED = "upside down"
    SQUEEZED = "squeezed repeats"
    MASKED = "masked letters"
    TRIMMED = "digits cut off"


@dataclass(frozen=True)
class Reading:
    """A text, read in one of the ways.

    distinct: the words without repeats. odd: the words that may be disguised. is_spelled: whether
    each word is a run of single letters. Such a run may begin or end in the middle of a
    real word.
    """

    form: Form
    text: str
    distinct: frozenset[str]
    odd: frozenset[str]
    is_spelled: bool = False

    @cached_property
    def words(self) -> list[str]:
        """Return the words in order. Computed only when needed, because few texts need this."""
        is_parted = self.is_spelled or self.form is Form.MASKED
        return (self.text if is_parted else part(self.text)).split()


def list_readings(text: str, *, latin_only: bool = False) -> list[Reading]:
    """List the readings of a text. A reading that equals an earlier one is left out.

    latin_only: whether the rules have only Latin letters. If so, only the reading as typed keeps
    other scripts.
    """
    text = _ENTITY.sub(_read_entity, text)  # Stable Diffusion's tokenizers decode entities too
    chunks, folded = _fold_chunks(text)
    base = folded.casefold()
    look = base if base.isascii() else fold_lookalikes(folded)
    composer = _Composer(chunks, look)
    seen: set[str] = set()
    spellings: set[tuple[Form, str]] = set()
    readings: list[Reading] = []
    for form, part_of, changed in _list_ways(text, chunks, folded, (base, look), latin_only):
        read = part_of.join(changed)
        if read not in seen:
            seen.add(read)
            parted = part(changed)
            readings.append(composer.compose(form, read, part_of, parted.split()))
            spelled = _read_spelled(part_of, parted, readings[-1])
            if spelled is not None and (spelled.form, spelled.text) not in spellings:
                spellings.add((spelled.form, spelled.text))
                readings.append(spelled)
    if any(mask in look for mask in _MASKS) or "?" in text:
        words = _MASKED_WORD.findall(" ".join(chunks.pick_with(_MASKS, look)))
        readings.append(composer.compose_masked(words))
    return readings


def _fold_chunks(text: str) -> tuple[Chunks, str]:
    """Return the chunks of a text, and its odd chunks after ``fold``."""
    chunks = Chunks(text.split())
    folded = fold(chunks.odd)
    # In this case, ``fold`` has emptied or split some chunks.
    if chunks.odd and folded.split() != folded.split("\n"):
        chunks = Chunks(fold(text).split())
        folded = chunks.odd
    return chunks, folded


class _Composer:
    """Makes readings. Checks each word for disguises once, because readings share most words."""

    def __init__(self, chunks: Chunks, look: str) -> None:
        """look: the odd chunks with look-alike letters replaced.

        If no letters repeat in them, no letters repeat in any reading.
        """
        self._has_repeats = bool(chunks.repeated_words or REPEATED.search(look))
        self._seen: set[str] = set()
        self._odd: set[str] = set()

    def compose(self, form: Form, text: str, chunks: Chunks, words: list[str]) -> Reading:
        """Make one reading. words: the words of the reading's odd chunks."""
        if self._has_repeats:
            self._odd.update(chunks.repeated_words)
        self._look_at(words)
        distinct = chunks.plain_words.union(words)
        return Reading(form, text, distinct, distinct & self._odd)

    def compose_masked(self, words: list[str]) -> Reading:
        self._look_at(words)
        distinct = frozenset(words)
        return Reading(Form.MASKED, " ".join(words), distinct, distinct & self._odd)

    def _look_at(self, words: list[str]) -> None:
        unseen = set(words) - self._seen
        self._seen |= unseen
        self._odd.update(
            word
            for word in unseen
            if not word.isalpha()
            or EITHER_I_OR_L in word
            or (self._has_repeats and is_repeated(word))
        )


_Way = tuple[Form, Chunks, str]


def _list_ways(
    text: str, chunks: Chunks, folded: str, kinds: tuple[str, str], latin_only: bool
) -> Iterator[_Way]:
    """Yield each way to read a text: the form, the chunks, and the odd chunks in this reading.

    kinds: the odd chunks in lower case, and the same chunks with look-alike letters replaced.
    """
    base, look = kinds
    yield Form.PLAIN, chunks, base
    yield Form.LOOKALIKES, chunks, look
    weightless = _drop_weights(chunks, look)
    for part_of, odd in (weightless,) if latin_only else (_drop_weights(chunks, base), weightless):
        yield Form.JOINED, part_of, _join_inside(_replace(odd, _BRACKETS))
    may_have_models = _MODEL.search(folded) or "model" in text or "model" in folded
    kept = _list_models(fold(text)) if may_have_models else frozenset[str]()
    yield from _read_leet(*weightless, kept)
    if (turned := turn_round(chunks.pick_with(ONLY_UPSIDE_DOWN, folded))) is not None:
        yield _read_alone(Form.TURNED, turned.split(" "))


def _read_leet(chunks: Chunks, text: str, kept: frozenset[str]) -> Iterator[_Way]:
    """Yield readings in which digits and symbols become letters, and one with only digits changed.

    kept: words that are left unchanged.
    """
    drawn = text
    if any(drawing in text for drawing in _DRAWN_PARTS):
        drawn = _DRAWN_LETTER.sub(lambda drawing: _DRAWN[drawing[0]], text)
    leet = _translate(drawn, _LEET, kept)
    yield Form.LEET, chunks, leet
    weightless, joined = _drop_weights(chunks, leet)
    yield Form.LEET, weightless, _join_inside(_replace(joined, _BRACKETS))
    if "(" in text and (whole := chunks.join(text)).count("(") > whole.count(")"):
        # These brackets do not belong to a prompt weight.
        opened = _translate(_OPEN.sub("c", drawn), _LEET, kept)
        yield _read_alone(Form.LEET, chunks.pick_changed(opened, leet))
    digits = _translate(text, _DIGITS, kept)
    if digits != leet:
        yield _read_alone(Form.LEET, chunks.pick_changed(digits, leet))


def _read_alone(form: Form, chunks: list[str]) -> _Way:
    alone = Chunks(chunks)
    return form, alone, alone.odd


def _list_models(folded: str) -> frozenset[str]:
    """List product names such as Galaxy A55, in lower case. Their digits are not a disguise."""
    if folded.isupper():
        return frozenset()
    models = [
        found[0].lower()
        for found in _MODEL.finditer(folded)
        if not folded[found.start() - 1 : found.start()].isalnum()
    ]
    return frozenset(models + _NAMED_MODEL.findall(folded))


def _read_spelled(chunks: Chunks, parted: str, reading: Reading) -> Reading | None:
    """Join runs of single letters; None if there are none. parted: odd chunks after ``part``."""
    if reading.form is Form.JOINED or 1 not in map(len, reading.distinct):
        return None
    runs = _SPELLED.findall(f" {chunks.join_spelled(parted)} ")
    if not runs:
        return None
    words = [run.replace(" ", "") for run in runs]
    form = Form.LEET if reading.form is Form.LEET else Form.JOINED
    return Reading(form, " ".join(words), frozenset(words), frozenset(), is_spelled=True)


def _drop_weights(chunks: Chunks, changed: str) -> tuple[Chunks, str]:
    """Remove prompt weights such as (word:1.2). Return the new chunks, and their odd chunks."""
    if not any(bracket in changed for bracket in _CLOSING):
        return chunks, changed
    text = chunks.join(changed)
    weightless = _WEIGHT.sub("", text)
    if weightless.count(" ") == text.count(" "):
        return chunks, _WEIGHT_IN_CHUNK.sub("", changed)
    chunks = Chunks(weightless.split(" "))
    return chunks, chunks.odd


def _join_inside(text: str) -> str:
    return _INSIDE_WORD.sub("", text.replace("_", "-"))


def _translate(text: str, table: dict[str, str], kept: frozenset[str] = frozenset()) -> str:
    translated = _replace(text.lower(), table)
    if translated == text:
        return text
    pairs = zip(text.split("\n"), translated.split("\n"), strict=True)
    return "\n".join(
        [
            new if new == old or (_is_word(old) and not (kept and _is_kept(old, kept))) else old
            for old, new in pairs
        ]
    )


def _is_kept(chunk: str, kept: frozenset[str]) -> bool:
    return chunk.strip(_QUOTED) in kept


def _replace(text: str, table: dict[str, str]) -> str:
    """Translate like ``str.translate``, but ten times faster for a text that is not ASCII."""
    for old, new in table.items():
        text = text.replace(old, new)
    return text


def _is_word(chunk: str) -> bool:
    """Return whether a chunk may be a word or one of its letters. Numbers such as 8k are not."""
    size = len(chunk.strip(_AROUND_WORDS))
    return size == 1 or (size > 2 and chunk.lower() != chunk.upper())


def _read_entity(entity: re.Match[str]) -> str:
    code = int(entity[1], 16) if entity[1] else int(entity[2])
    return chr(code) if code <= sys.maxunicode else entity[0]
