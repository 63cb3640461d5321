"""Finds ages and school grades in a text, in the languages of the lexicon."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

_ADULT_AGE = 18
_MIN_LIMIT = 10  # in years; "under 4 lamps", for example, is not about an age
_NOT_YEARS = (
    "balloons|cm|days|degrees|feet|fps|grams|hours|inches|kg|kilometers|km|knots|m|meters|metres|"
    "miles|minutes|mm|months|percent|points|pounds|seconds|steps|weeks|wheels|grad|minutos"
)
_ORDINALS = (
    "1st|2nd|3rd|(?:[4-9]|1[0-2])th|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|"
    "tenth|eleventh|twelfth"
)


class Age(NamedTuple):
    """An age, written in words[start:end]. is_plain: it is almost certainly the age of a minor."""

    is_plain: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to write an age.

    signs: every text that matches contains one of these words. A search for them is quick, so we do
    it first. least, most: the range of numbers that count as a minor's age.
    """

    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    is_plain: bool = True
    least: int = 0
    most: int = _ADULT_AGE - 1

    def find(self, text: str) -> Iterator[re.Match[str]]:
        if not any(sign in text for sign in self.signs):
            return
        for match in self.pattern.finditer(text):
            number = next(filter(None, match.groups()), "")
            if not number.isdecimal() or self.least <= int(number) <= self.most:
                yield match


def list_ways(numbers: Iterable[str]) -> tuple[_Way, ...]:
    """List the ways to write an age. numbers: the ages of minors as words, in lower case."""
    ordered = sorted(numbers, key=len, reverse=True)
    # Checking a word's first letter is quicker than trying all numbers, and rules out most words.
    first = re.escape("".join(sorted({number[0] for number in ordered})))
    n = rf"(?=[\d{first}])(\d{{1,2}}|{'|'.join(map(re.escape, ordered))})"
    limit = r"(\d{2}|eighteen|achtzehn|dix huit|dieciocho|dezoito)"

    def way(signs: str, pattern: str, **kinds: Any) -> _Way:
        return _Way(tuple(signs.split(",")), re.compile(pattern), **kinds)

    return (
        way("y", rf"\b{n} ?(?:years?|yrs?|y) ?(?:olds?|o|of age|young)\b"),
        way("year,yr", r"\b(\d{1,2}) (?:to |or )?\d{1,2} ?(?:years?|yrs?)\b"),
        way("year,yr", r"\b(\d{1,2})(?:years?|yrs?)\b"),
        way("year,yr", rf"\b{n} ?(?:years?|yrs?)\b", is_plain=False),
        way("age", rf"\bage[ds]?(?: is| of| about| only)? {n}\b(?: years?| yrs?)?"),
        way(
            "under,below,younger,less,not ,u",
            rf"\b(?:under|below|(?:younger|less) than|not (?:yet|even)|u) ?{limit}\b"
            rf"(?! (?:{_NOT_YEARS})\b)",
            least=_MIN_LIMIT,
            most=_ADULT_AGE,
        ),
        way(
            "turn,barely,nearly,almost",
            rf"\b(?:turn(?:s|ed|ing)|barely|nearly|almost) {limit}\b(?! (?:{_NOT_YEARS})\b)",
            least=_MIN_LIMIT,
            most=_ADULT_AGE,
        ),
        way(
            "he ,i ,who ",
            rf"\b(?:he|she|i|who) (?:is|am|was|s) {n}\b(?! (?:{_NOT_YEARS})\b)",
            is_plain=False,
        ),
        way("grade", rf"\b(?:{_ORDINALS}) ?grade(?:rs?)?\b"),
        way("grade", r"\bgrade (\d{1,2})\b", is_plain=False, most=12),
        way("old", r"\b\d{1,3} ?(?:months?|weeks?|days?) ?olds?\b"),
        way("birthday", r"\b(\d{1,2})(?:st|nd|rd|th) birthday\b", is_plain=False),
        way("jahr,j ", rf"\b{n} ?(?:jahrig(?:e[rsmn]?)?\b|j(?:ahre?)? (?:alt|jung)\b)"),
        way("jahr", rf"\b{n} ?jahren?\b", is_plain=False),
        way(
            "klass",
            r"\b(?:(\d{1,2}) ?klasse|(?:(\d{1,2}) ?|(?:erst|zweit|dritt|viert|funft|sechst|siebt|"
            r"acht|neunt|zehnt))klassler(?:in|innen)?)\b",
            most=12,
        ),
        way("ans,anos,ani", rf"\b{n} ?(?:ans|anos|anitos|aninhos)\b"),
        way(
            "unter,moins,menos,menor,peine,apenas,knapp",
            rf"\b(?:unter|knapp|(?:moins|menos|menor|menores|abaixo) de|a peine|apenas) {limit}\b"
            rf"(?! (?:{_NOT_YEARS})\b)",
            least=_MIN_LIMIT,
            most=_ADULT_AGE,
        ),
        way("歳,才", rf"{n} ?(?:歳|才)"),
        way("未満", r"(\d{1,2}|十八) ?(?:歳|才) ?未満", most=_ADULT_AGE),
    )


class AgeFinder:
    """Finds the ages of minors in the words of a reading."""

    def __init__(self, numbers: Iterable[str]) -> None:
        self._ways = list_ways(numbers)

    def find(self, words: list[str]) -> Iterator[Age]:
        """Return each age of a minor in a reading, with the place of its words."""
        text = " ".join(words)
        for way in self._ways:
            for match in way.find(text):
                start = text.count(" ", 0, match.start())
                yield Age(way.is_plain, start, start + match[0].count(" ") + 1)
