"""Finds many words and phrases in the readings of a text at once."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import accumulate, groupby
from operator import attrgetter
from typing import NamedTuple

from bot.moderation.allowance import unlimited
from bot.moderation.chunks import is_repeated
from bot.moderation.readings import EITHER_I_OR_L, Form, Reading
from bot.moderation.text import normalise

_WORD = re.compile(r"[^\W_]+")
_MASK_CHAR = re.compile(r"\W")
_MIN_SPELLED = 3
# shorter words are not searched in this way, because longer words contain them: A S S E M B L Y
_MIN_SPELLED_APART = 5
_ALONE = frozenset("aiox0123456789")  # single letters that are words
_MIN_LEET = 3
_MIN_MASKED = 4
_MAX_MASKED = 14  # letters; a longer word would have more than a hundred masked forms
_HOLE = "*"
_Disguised = dict[str, tuple[str, ...]]
_Meanings = tuple[tuple[Form, str], ...]


class Hit(NamedTuple):
    """A phrase that was found: its number, and its place words[start:end] in a reading."""

    phrase: int
    form: Form
    start: int
    end: int

    def lies_within(self, other: Hit) -> bool:
        """Return whether this hit lies within another one in the same reading."""
        return other.start <= self.start and self.end <= other.end


def list_uncovered(hits: Iterable[Hit], covers: Iterable[Hit]) -> Iterator[Hit]:
    """List the hits that lie within no cover. It does not compare every pair, so it is quick."""
    ordered = sorted(covers, key=attrgetter("start"))
    starts = [cover.start for cover in ordered]
    furthest = [0, *accumulate((cover.end for cover in ordered), max)]
    for hit in hits:
        if furthest[bisect_right(starts, hit.start)] < hit.end:
            yield hit


def split_words(text: str) -> tuple[str, ...]:
    """Split a rule's text into words, written as they are in readings."""
    return tuple(_WORD.findall(normalise(text)))


class PhraseIndex:
    """Finds phrases by their first words. So more phrases do not make a search slower."""

    def __init__(
        self,
        phrases: Iterable[Sequence[str]],
        inflected: Set[str] = frozenset(),
        *,
        whole: PhraseIndex | None = None,
    ) -> None:
        """inflected: words that are not searched for with masked letters.

        whole: a larger index, whose words are known too when a run of single letters is split.
        """
        self._whole = whole or self
        self._single: dict[str, list[int]] = {}
        self._longer: dict[tuple[str, str], list[tuple[int, tuple[str, ...]]]] = {}
        words: set[str] = set()
        for number, phrase in enumerate(phrases):
            words.update(phrase)
            if len(phrase) == 1:
                self._single.setdefault(phrase[0], []).append(number)
            elif phrase:
                longer = self._longer.setdefault((phrase[0], phrase[1]), [])
                longer.append((number, tuple(phrase[2:])))
        self.is_latin = all(word.isascii() for word in words)
        self._words = frozenset(words)
        self._seconds: dict[str, set[str]] = {}
        for first, second in self._longer:
            self._seconds.setdefault(first, set()).add(second)
        self._starts = frozenset(self._seconds.keys() | self._single)
        ordered = sorted(words)  # a set has another order in each run of the program
        self._leet = _group(ordered, lambda word: (_either_i_or_l(word),))
        self._squeezed = _group(ordered, lambda word: (_squeeze(word),))
        self._squeezed_leet = _group(ordered, lambda word: (_squeeze(_either_i_or_l(word)),))
        maskable = (word for word in ordered if word not in inflected)
        self._masked = _group(maskable, _list_masked)
        long_words = [word for word in words if len(word) >= _MIN_SPELLED]
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for word in long_words:
            lengths[word[:_MIN_SPELLED]].add(len(word))
        self._spelled_lengths = {head: sorted(each, reverse=True) for head, each in lengths.items()}

    def find(
        self, readings: Iterable[Reading], check: Callable[[], None] = unlimited
    ) -> Iterator[tuple[Reading, list[Hit]]]:
        """Find every phrase in each reading of a text.

        check: called often during the search. If it raises an error, the search ends.
        """
        # All readings share these results, because they have most words in common.
        revealed: dict[str, _Meanings] = {}
        in_runs: dict[str, tuple[str, ...]] = {}
        for reading in readings:
            if reading.is_spelled:
                for run in reading.distinct - in_runs.keys():
                    in_runs[run] = tuple(self._find_spelled(run, check))
                words = [word for run in reading.words for word in in_runs[run]]
                wanted = self._starts.intersection(words)
                yield reading, self._find(words, wanted, reading.form, {}, check)
            elif reading.form is Form.MASKED:
                masked = dict(enumerate(self._find_masked(reading.words, check)))
                words = [_HOLE] * len(masked)
                yield reading, self._find(words, frozenset(), reading.form, masked, check)
            else:
                disguised = self._list_disguised(reading, revealed, check)
                wanted = self._pick_starts(reading.distinct, disguised)
                words = reading.words if wanted or disguised else ()
                yield reading, self._find(words, wanted, reading.form, disguised, check)

    def _pick_starts(
        self, distinct: frozenset[str], disguised: Mapping[int, _Meanings]
    ) -> frozenset[str]:
        """Pick the words with which a phrase may begin."""
        starts = distinct & self._starts
        if disguised or not starts:
            return starts
        return frozenset(
            word
            for word in starts
            if word in self._single or not self._seconds[word].isdisjoint(distinct)
        )

    def _find(
        self,
        words: Sequence[str],
        wanted: frozenset[str],
        form: Form,
        disguised: Mapping[int, _Meanings],
        check: Callable[[], None],
    ) -> list[Hit]:
        single, firsts = self._single, self._seconds
        hits: list[Hit] = []
        for start in _list_places(words, wanted):
            check()
            word = words[start]
            if word in single:
                hits += [Hit(phrase, form, start, start + 1) for phrase in single[word]]
            if word in firsts:
                self._add_longer(hits, form, start, word, words, disguised)
        for start, meanings in disguised.items():
            for meant, word in meanings:
                check()
                hits += [Hit(phrase, meant, start, start + 1) for phrase in single.get(word, ())]
                if word in firsts:
                    self._add_longer(hits, meant, start, word, words, disguised)
        return hits

    def _add_longer(
        self,
        hits: list[Hit],
        form: Form,
        start: int,
        first: str,
        words: Sequence[str],
        disguised: Mapping[int, _Meanings],
    ) -> None:
        if start + 1 == len(words):
            return
        for second in (words[start + 1], *(word for _, word in disguised.get(start + 1, ()))):
            for phrase, rest in self._longer.get((first, second), ()):
                end = start + 2 + len(rest)
                if end <= len(words) and all(
                    words[place] == word or word in {meant for _, meant in disguised.get(place, ())}
                    for place, word in enumerate(rest, start + 2)
                ):
                    hits.append(Hit(phrase, form, start, end))

    def _list_disguised(
        self, reading: Reading, revealed: dict[str, _Meanings], check: Callable[[], None]
    ) -> dict[int, _Meanings]:
        """Map the place of each disguised word to the indexed words that it may stand for."""
        for word in reading.odd - self._words - revealed.keys():
            check()
            revealed[word] = tuple(self._reveal(word))
        suspects = {word for word in reading.odd if revealed.get(word)}
        if not suspects:
            return {}  # return early, because it takes time to list all words in order
        words = reading.words
        return {place: revealed[words[place]] for place in _list_places(words, suspects)}

    def _reveal(self, word: str) -> Iterator[tuple[Form, str]]:
        has_repeats = is_repeated(word)
        if EITHER_I_OR_L in word:
            yield from ((Form.LEET, meant) for meant in self._reveal_leet(word))
            if has_repeats:
                either = self._reveal_squeezed(_either_i_or_l(word), self._squeezed_leet)
                yield from ((Form.SQUEEZED, meant) for meant in either)
        if not word.isalpha():
            trimmed = word.strip("0123456789")
            if trimmed in self._words:
                yield Form.TRIMMED, trimmed
        if has_repeats:
            yield from (
                (Form.SQUEEZED, meant) for meant in self._reveal_squeezed(word, self._squeezed)
            )

    def _reveal_leet(self, word: str) -> Iterator[str]:
        for shape in dict.fromkeys((word, word.strip(EITHER_I_OR_L))):
            if len(shape) < _MIN_LEET:
                continue
            for meant in self._leet.get(_either_i_or_l(shape), ()):
                pairs = zip(shape, meant, strict=True)
                if all(shown in (EITHER_I_OR_L, letter) for shown, letter in pairs):
                    yield meant

    def _reveal_squeezed(self, word: str, squeezed: _Disguised) -> Iterator[str]:
        candidates = squeezed.get(_squeeze(word))
        if candidates is None:
            return
        shown = _count_runs(word)
        is_either = squeezed is self._squeezed_leet
        for meant in candidates:
            runs = _count_runs(_either_i_or_l(meant) if is_either else meant)
            if all(most >= run for most, run in zip(shown, runs, strict=True)):
                yield meant

    def _find_masked(self, words: Iterable[str], check: Callable[[], None]) -> Iterator[_Meanings]:
        """For each masked word, yield the indexed words that it may stand for."""
        for word in words:
            check()
            shape = _MASK_CHAR.sub(_HOLE, word)
            meant = self._masked.get(shape) or self._masked.get(shape.rstrip(_HOLE))
            if meant:
                yield tuple((Form.MASKED, each) for each in meant)

    def _find_spelled(self, run: str, check: Callable[[], None]) -> Iterator[str]:
        """Yield the indexed words in a run of single letters. Other letters may surround a word.

        If the word is short, the other letters must be indexed words or single-letter words.
        """
        if run in self._words:
            yield run
        elif EITHER_I_OR_L in run:
            yield from self._find_inside(run.replace(EITHER_I_OR_L, "i"), check)
            yield from self._find_inside(run.replace(EITHER_I_OR_L, "l"), check)
            yield from self._reveal_leet(run)
        else:
            yield from self._find_inside(run, check)

    def _find_inside(self, run: str, check: Callable[[], None]) -> Iterator[str]:
        found = self._list_inside(run, check)
        if found:
            whole = found if self._whole is self else self._whole._list_inside(run, check)
            is_alone = _ALONE.issuperset(_list_left(run, whole))
            yield from (word for _, word in found if is_alone or len(word) >= _MIN_SPELLED_APART)

    def _list_inside(self, run: str, check: Callable[[], None]) -> list[tuple[int, str]]:
        heads = [run[start : start + _MIN_SPELLED] for start in range(len(run) - _MIN_SPELLED + 1)]
        found: list[tuple[int, str]] = []
        for start in _list_places(heads, self._spelled_lengths.keys()):
            check()
            for length in self._spelled_lengths[heads[start]]:
                word = run[start : start + length]
                if word in self._words:
                    found.append((start, word))
                    break
        return found


def _list_left(run: str, found: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yield the letters outside the found words. found: (start, word) pairs in order."""
    end = 0
    for start, word in found:
        yield from run[end:start]
        end = max(end, start + len(word))
    yield from run[end:]


def _list_places(words: Sequence[str], wanted: Set[str]) -> list[int]:
    """List the positions of the wanted words. Most texts contain none."""
    return [place for place, word in enumerate(words) if word in wanted] if wanted else []


def _group(words: Iterable[str], list_keys: Callable[[str], Iterable[str]]) -> _Disguised:
    groups: dict[str, list[str]] = defaultdict(list)
    for word in words:
        for key in list_keys(word):
            groups[key].append(word)
    return {key: tuple(group) for key, group in groups.items()}


def _either_i_or_l(word: str) -> str:
    return word.replace("i", EITHER_I_OR_L).replace("l", EITHER_I_OR_L)


def _squeeze(word: str) -> str:
    return "".join([letter for letter, _ in groupby(word)])


def _count_runs(word: str) -> list[int]:
    return [len(list(group)) for _, group in groupby(word)]


def _list_masked(word: str) -> Iterator[str]:
    """List the word's forms with one or two masked letters.

    The first letter is never masked. The last letter is masked only together with another one.
    """
    if not _MIN_MASKED <= len(word) <= _MAX_MASKED:
        return
    for first in range(1, len(word) - 1):
        head, tail = word[:first] + _HOLE, word[first + 1 :]
        yield head + tail
        for second in range(len(tail) - 1):
            yield head + tail[:second] + _HOLE + tail[second + 1 :]
        if first < len(word) - 2:
            yield head + tail[:-1] + _HOLE
