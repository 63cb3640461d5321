"""Finds many words and phrases in the readings of a text at once."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.moderation.readings import EITHER_I_OR_L, REPEATED, Form, Reading
from bot.moderation.text import normalise

_WORD = re.compile(r"[^\W_]+")
_MASK_CHAR = re.compile(r"\W")
_RUN = re.compile(r"(.)\1+")
_MIN_SPELLED = 3
_MIN_LEET = 3
_MIN_MASKED = 4
_HOLE = "*"
_Disguised = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Hit:
    """The phrase number ``phrase`` stands at words[start:end] of a reading."""

    phrase: int
    form: Form
    start: int
    end: int

    def lies_within(self, other: Hit) -> bool:
        """Whether another hit in the same reading covers it."""
        return other.start <= self.start and self.end <= other.end


def split_words(text: str) -> tuple[str, ...]:
    """The words of a rule's text, in the form that readings have."""
    return tuple(_WORD.findall(normalise(text)))


class PhraseIndex:
    """A dictionary from first words to phrases; the cost of a search does not grow with it."""

    def __init__(self, phrases: Iterable[Sequence[str]]) -> None:
        self._starts: dict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
        words: set[str] = set()
        for number, phrase in enumerate(phrases):
            if phrase:
                self._starts[phrase[0]].append((number, tuple(phrase[1:])))
                words.update(phrase)
        self._words = words
        self._leet = _group(words, lambda word: (_either_i_or_l(word),))
        self._squeezed = _group(words, lambda word: (_squeeze(word),))
        self._masked = _group(words, _list_masked)
        long_words = [word for word in words if len(word) >= _MIN_SPELLED]
        self._spelled_heads = {word[:_MIN_SPELLED] for word in long_words}
        self._spelled_lengths = sorted({len(word) for word in long_words}, reverse=True)

    def find(self, reading: Reading) -> Iterator[Hit]:
        """Every phrase in one reading."""
        words = reading.words
        if reading.is_spelled:
            words = [word for run in reading.words for word in self._find_spelled(run)]
        disguised = {} if reading.is_spelled else self._list_disguised(reading)
        yield from self._find_plain(words, reading.form, disguised)
        for start, meanings in disguised.items():
            for form, word in meanings:
                yield from self._find_from(start, word, words, form, disguised)

    def _find_plain(
        self, words: list[str], form: Form, disguised: dict[int, list[tuple[Form, str]]]
    ) -> Iterator[Hit]:
        starts = self._starts
        for start in [number for number, word in enumerate(words) if word in starts]:
            yield from self._find_from(start, words[start], words, form, disguised)

    def _find_from(
        self,
        start: int,
        first: str,
        words: list[str],
        form: Form,
        disguised: dict[int, list[tuple[Form, str]]],
    ) -> Iterator[Hit]:
        for phrase, rest in self._starts.get(first, ()):
            end = start + 1 + len(rest)
            if end <= len(words) and all(
                words[place] == word or any(word == meant for _, meant in disguised.get(place, ()))
                for place, word in enumerate(rest, start + 1)
            ):
                yield Hit(phrase, form, start, end)

    def _list_disguised(self, reading: Reading) -> dict[int, list[tuple[Form, str]]]:
        """What the words of a reading that are none of ours may stand for."""
        known = self._words
        found: dict[int, list[tuple[Form, str]]] = {}
        for place, word in enumerate(reading.words):
            if word in known or (
                word.isalpha() and not reading.has_repeats and EITHER_I_OR_L not in word
            ):
                continue
            meanings = list(self._reveal(word, reading))
            if meanings:
                found[place] = meanings
        return found

    def _reveal(self, word: str, reading: Reading) -> Iterator[tuple[Form, str]]:
        if reading.form is Form.MASKED:
            holes = _MASK_CHAR.sub(_HOLE, word)
            yield from ((Form.MASKED, meant) for meant in self._masked.get(holes, ()))
            return
        if EITHER_I_OR_L in word:
            yield from ((Form.LEET, meant) for meant in self._reveal_leet(word))
        if not word.isalpha():
            trimmed = word.strip("0123456789")
            if trimmed in self._words:
                yield Form.TRIMMED, trimmed
        if reading.has_repeats and REPEATED.search(word):
            yield from ((Form.SQUEEZED, meant) for meant in self._reveal_squeezed(word))

    def _reveal_leet(self, word: str) -> Iterator[str]:
        for shape in {word, word.strip(EITHER_I_OR_L)}:
            if len(shape) < _MIN_LEET:
                continue
            for meant in self._leet.get(_either_i_or_l(shape), ()):
                pairs = zip(shape, meant, strict=True)
                if all(shown in (EITHER_I_OR_L, letter) for shown, letter in pairs):
                    yield meant

    def _reveal_squeezed(self, word: str) -> Iterator[str]:
        candidates = self._squeezed.get(_squeeze(word))
        if candidates is None:
            return
        shown = _count_runs(word)
        for meant in candidates:
            if all(most >= run for most, run in zip(shown, _count_runs(meant), strict=True)):
                yield meant

    def _find_spelled(self, run: str) -> Iterator[str]:
        """Our words within a run of single letters, which may begin or end with others."""
        if run in self._words:
            yield run
            return
        heads = self._spelled_heads
        for start in range(len(run) - _MIN_SPELLED + 1):
            if run[start : start + _MIN_SPELLED] in heads:
                for length in self._spelled_lengths:
                    word = run[start : start + length]
                    if len(word) == length and word in self._words:
                        yield word
                        break


def _group(words: Iterable[str], list_keys: Callable[[str], Iterable[str]]) -> _Disguised:
    groups: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for key in list_keys(word):
            groups[key].append(word)
    return {key: tuple(group) for key, group in groups.items()}


def _either_i_or_l(word: str) -> str:
    return word.replace("i", EITHER_I_OR_L).replace("l", EITHER_I_OR_L)


def _squeeze(word: str) -> str:
    return _RUN.sub(r"\1", word)


def _count_runs(word: str) -> list[int]:
    return [len(list(group)) for _, group in groupby(word)]


def _list_masked(word: str) -> Iterator[str]:
    """The word with one hole, two neighbouring ones, or two apart; never at its ends."""
    inner = range(1, len(word) - 1)
    if len(word) < _MIN_MASKED:
        return
    for first in inner:
        for second in inner[first - 1 :]:
            letters = list(word)
            letters[first] = letters[second] = _HOLE
            yield "".join(letters)
