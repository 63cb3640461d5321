"""Finds names of people by their shape: two capitalised words that are not a place or a style.

A name is certain if one of its words is a listed name. An artist's name does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise, takewhile

from bot.moderation.grammar import CREDIT_CHARS, ends_in_credit
from bot.moderation.text import normalise

_TOKEN = re.compile(r"[^\W\d_]++(?:['’-][^\W\d_]++)*+")
_INITIAL_GAP = re.compile(r"\. ?")
_PARTICLES = {"al", "bin", "d", "da", "das", "de", "del", "della", "den", "der", "di", "do", "dos",
              "du", "la", "le", "van", "von", "y", "zu"}  # fmt: skip
_POSSESSIVE = ("'s", "’s")
_ACTIONS = ("ed", "ing", "ly")
# If more than this share of the other words have capitals, a capital is no sign of a name.
_TITLE_CASE = 0.6
_MAX_NAMES = 200  # the most possible names that are checked in one text


@dataclass(slots=True)
class _Shape:
    """Words that may form one name, and their place in the text."""

    start: int = 0
    end: int = 0
    words: list[str] = field(default_factory=list)
    particles: int = 0


class NameFinder:
    """Finds names with lists of names and lists of words that are not names."""

    def __init__(self, lexicon: Mapping[str, Sequence[str]]) -> None:
        def fold(key: str) -> frozenset[str]:
            return frozenset(map(normalise, lexicon[key]))

        self._given, self._surnames = fold("given_names"), fold("surnames")
        self._titles = fold("titles")
        self._unmistakable = self._given - fold("ambiguous_names")
        self._not_names = frozenset(
            word
            for key, terms in lexicon.items()
            if key not in {"given_names", "surnames", "ambiguous_names", "titles"}
            for term in terms
            for word in normalise(term).split()
        )
        self._not_first = self._not_names - self._given - self._titles

    def find(self, text: str) -> bool | None:
        """Look for a name: True if certain, False if possible, None if absent. text: as typed."""
        tokens = [(match.start(), match[0]) for match in _TOKEN.finditer(text)]
        num_capitals = sum(word[:1].isupper() for _, word in tokens[1:])
        if not num_capitals:
            return False if self._is_named_in_small(text, tokens) else None
        is_found = False
        for shape in islice(_list_shapes(text, tokens, self._given), _MAX_NAMES):
            is_certain = self._weigh(shape, text, tokens, num_capitals)
            if is_certain:
                return True
            is_found = is_found or is_certain is not None
        return False if is_found else None

    def _weigh(
        self, shape: _Shape, text: str, tokens: list[tuple[int, str]], num_capitals: int
    ) -> bool | None:
        words = [_fold(word) for word in shape.words]
        while words and words[0] in self._not_first:
            # In "Naked Emma Smith", "Naked" has a capital only because it comes first.
            words = words[1:]
        name = list(takewhile(self._is_name_like, words))
        if len(name) < 2 and len(words) > 1 and words[1] not in self._not_names:
            has_first = words[0] in self._given or words[0] in self._titles
            name = words[:2] if has_first else name
        if len(name) < 2:
            return None
        if ends_in_credit(text[max(0, shape.start - CREDIT_CHARS) : shape.start].lower()):
            return None
        is_listed = name[0] in self._given or name[-1] in self._surnames
        # The first word always has a capital, so it proves nothing.
        others = len(tokens) - len(name) - shape.particles - 1
        is_title_case = others > 2 and num_capitals - len(name) > others * _TITLE_CASE
        if is_title_case:
            return False if is_listed else None
        return is_listed

    def _is_name_like(self, word: str) -> bool:
        if len(word) == 1 or word in self._given or word in self._surnames:
            return True
        return word not in self._not_names and not word.endswith(_ACTIONS)

    def _is_named_in_small(self, text: str, tokens: list[tuple[int, str]]) -> bool:
        """Return whether a text in lower case has a given name or a title before another name."""
        folded = [(start, len(word), _fold(word)) for start, word in tokens[: 10 * _MAX_NAMES]]
        for (start, size, first), (after, _, second) in pairwise(folded):
            is_named = first in self._unmistakable and len(second) > 2
            is_titled = first in self._titles and second in self._given
            if (
                (is_titled or (is_named and self._is_name_like(second)))
                and text[start + size : after] == " "
                and not ends_in_credit(text[max(0, start - CREDIT_CHARS) : start].lower())
            ):
                return True
        return False


def _list_shapes(
    text: str, tokens: list[tuple[int, str]], given: frozenset[str]
) -> Iterator[_Shape]:
    """Yield the runs of capitalised words between which there is only a space or a particle.

    given: the names after which "of" is part of a name, as in Joan of Arc.
    """
    shape = _Shape()
    for place, (start, word) in enumerate(tokens):
        is_joined = _is_gap(text[shape.end : start], shape)
        if word[0].isupper() and not (len(word) > 3 and word.isupper()):
            if not is_joined:
                yield from _close(shape)
                shape = _Shape(start)
            shape.words.append(word.removesuffix(_POSSESSIVE[0]).removesuffix(_POSSESSIVE[1]))
            shape.end = start + len(word)
            if word.endswith(_POSSESSIVE):
                yield from _close(shape)
                shape = _Shape()
        elif is_joined and _is_particle(word, shape, given) and _leads_on(tokens, place):
            shape.end = start + len(word)
            shape.particles += 1
        else:
            yield from _close(shape)
            shape = _Shape()
    yield from _close(shape)


def _fold(word: str) -> str:
    return word.lower() if word.isascii() else normalise(word)


def _close(shape: _Shape) -> Iterator[_Shape]:
    if len(shape.words) > 1:
        yield shape


def _is_gap(between: str, shape: _Shape) -> bool:
    if not shape.words:
        return False
    is_initial = len(shape.words[-1]) == 1
    return between == " " or (is_initial and _INITIAL_GAP.fullmatch(between) is not None)


def _is_particle(word: str, shape: _Shape, given: frozenset[str]) -> bool:
    if word == "of":
        return len(shape.words) == 1 and _fold(shape.words[0]) in given
    return word in _PARTICLES


def _leads_on(tokens: list[tuple[int, str]], place: int) -> bool:
    """Return whether a name may continue after one or two particles, as in "van der Meer"."""
    follower = tokens[place + 1 : place + 2]
    return bool(follower) and (follower[0][1][0].isupper() or follower[0][1] in _PARTICLES)
