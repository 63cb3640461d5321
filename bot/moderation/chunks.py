"""Splits a text at spaces into chunks. Only chunks that may be disguised are read in many ways."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import filterfalse
from operator import itemgetter

import re2

_PLAIN = re.compile(r"[a-z]+[.,;:?]*")  # chunks that are the same in every reading
_LETTER_ALONE = re.compile(r"[a-z][.,;:?]*")
_LONG_WORD = "aa"  # placeholder for one or more long words; their text does not matter
_LONG, _SHORT, _ODD = range(3)  # the kinds of chunks: a word, a single letter, anything else
_LOOSE = re.compile(rb"[\x01\x02]{2,}|\x02")

_PARTED = bytes(
    code if code > 127 or chr(code).isalnum() or chr(code) == "\n" else 32 for code in range(256)
)
_NO_LETTER = re.compile(r"[^\w \n]")

REPEATED = re.compile(r"([^\W_])\1\1|(?<![^\W_])(?:([^\W_])\2){2,}(?![^\W_])")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TRIPLES = "|".join(3 * letter for letter in _LETTERS)
_DOUBLES = "|".join(2 * letter for letter in _LETTERS)
# For this pattern, RE2 is fifty times as fast as re.
_REPEATED_PLAIN = re2.compile(rf"{_TRIPLES}|\b(?:{_DOUBLES}){{2,}}\b")


class Chunks:
    """A text as chunks. Odd chunks may be disguised. Plain chunks are the same in all readings.

    So functions pass only the odd chunks of a reading to each other, one on each line.
    """

    def __init__(self, chunks: list[str]) -> None:
        distinct = dict.fromkeys(chunks)
        self._odd = list(filterfalse(_PLAIN.fullmatch, distinct))
        # With many odd chunks, it saves no time to separate the plain ones.
        self._are_all_odd = 2 * len(self._odd) > len(chunks)
        if self._are_all_odd:
            self._odd, self._plain, self._places = chunks, [_LONG_WORD], list(range(len(chunks)))
        else:
            odd = set(self._odd)
            self._plain = [*(chunk for chunk in distinct if chunk not in odd), _LONG_WORD]
            place_of = {chunk: place for place, chunk in enumerate([*self._odd, *self._plain])}
            self._places = [place_of[chunk] for chunk in chunks]
        self._parted_plain = part("\n".join(self._plain)).split("\n")
        self.odd = "\n".join(self._odd)
        self._joined: dict[str, str] = {}
        self.plain_words = frozenset(map(str.rstrip, self._parted_plain[:-1]))

    @cached_property
    def repeated_words(self) -> list[str]:
        """Return the plain words that repeat letters as no real word does (``is_repeated``)."""
        if _REPEATED_PLAIN.search(" ".join(self.plain_words)) is None:
            return []
        return list(filter(is_repeated, self.plain_words))

    def join(self, changed: str) -> str:
        """Return the whole text of a reading."""
        if self._are_all_odd:
            return changed.replace("\n", " ")
        joined = self._joined.get(changed)
        if joined is None:
            joined = " ".join(_pick(self._places, [*self._split(changed), *self._plain]))
            self._joined[changed] = joined
        return joined

    def join_spelled(self, parted: str) -> str:
        """Return a reading in which one placeholder stands for each run of long plain words.

        parted: the reading's odd chunks after ``part``.
        """
        if self._are_all_odd:
            return parted.replace("\n", " ")
        return " ".join(_pick(self._loose, [*self._split(parted), *self._parted_plain]))

    def pick_changed(self, changed: str, other: str) -> list[str]:
        """List the chunks in which a reading differs from another one."""
        chunks, others = self._split(changed), self._split(other)
        wanted = {place for place, chunk in enumerate(chunks) if chunk != others[place]}
        return [chunks[place] for place in self._places if place in wanted]

    def pick_with(self, characters: frozenset[str], changed: str) -> list[str]:
        """List the odd chunks of a reading with any of these characters."""
        if not any(character in changed for character in characters):
            return []
        chunks = self._split(changed)
        wanted = {place for place, chunk in enumerate(chunks) if not characters.isdisjoint(chunk)}
        return [chunks[place] for place in self._places if place in wanted]

    @cached_property
    def _loose(self) -> list[int]:
        """Return the places of odd chunks and single letters, with a placeholder after each run."""
        kinds = [_ODD] * len(self._odd)
        kinds += [_SHORT if _LETTER_ALONE.fullmatch(chunk) else _LONG for chunk in self._plain]
        long_word = len(kinds) - 1
        loose: list[int] = []
        for run in _LOOSE.finditer(bytes([kinds[place] for place in self._places])):
            loose += self._places[run.start() : run.end()]
            loose.append(long_word)
        return loose

    def _split(self, changed: str) -> list[str]:
        chunks = changed.split("\n") if self._odd else []
        if len(chunks) != len(self._odd):
            raise ValueError("a reading has other chunks")
        return chunks


def is_repeated(word: str) -> bool:
    """Return whether a word repeats letters as no real word does: oook, ookk."""
    # Counting different letters is quick, and rules out most words.
    return len(word) - len(set(word)) > 1 and REPEATED.search(word) is not None


def part(text: str) -> str:
    """Replace every character that is no letter, digit or line break by a space."""
    parted = text.encode().translate(_PARTED).decode()
    return parted if text.isascii() else _NO_LETTER.sub(" ", parted)


def _pick(places: list[int], chunks: list[str]) -> tuple[str, ...] | list[str]:
    return itemgetter(*places)(chunks) if len(places) > 1 else [chunks[place] for place in places]
