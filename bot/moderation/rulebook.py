"""Compiles the rules of the instance or of one server, and finds them in texts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from bot.domain.rules import Rule, RuleKind
from bot.moderation.allowance import unlimited
from bot.moderation.inflections import list_inflections
from bot.moderation.patterns import SET_STEPS, PatternSet
from bot.moderation.phrases import Hit, PhraseIndex, split_words
from bot.moderation.readings import Form, Reading
from bot.moderation.text import normalise

_WORD = re.compile(r"[^\W_]+")
_PLAIN_WORDS = re.compile(r"[^\W_]+(?:[\s'’_-]+[^\W_]+)*")
_Spans = tuple[Rule, Iterable[tuple[int, int]]]
_BORDER = re.compile(r"[,;:!?]|\.\s")
_ABBREVIATIONS = {"dr", "ft", "jr", "mr", "mrs", "ms", "mt", "no", "prof", "sr", "st", "vs"}
_PUNCTUATED = {Form.PLAIN, Form.LOOKALIKES, Form.JOINED}
_AS_WRITTEN = {Form.PLAIN, Form.LOOKALIKES}


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """A match of a rule. is_excepted: whether one of the rule's exceptions allows this match."""

    rule: Rule
    form: Form
    is_excepted: bool = False


class RuleBook:
    """A set of compiled rules. It finds them in the readings of a text."""

    def __init__(self, rules: Iterable[Rule], set_steps: int = SET_STEPS) -> None:
        """set_steps: the most steps of patterns to search between two checks of the time limit.

        Raises ConfigError for a pattern that cannot be used.
        """
        self.rules = tuple(rules)
        # the number of each phrase; many rules may share one phrase
        numbers: dict[tuple[str, ...], int] = {}
        self._rules_of: defaultdict[int, list[Rule]] = defaultdict(list)
        self._exceptions_of: dict[int, tuple[int, ...]] = {}
        self._symbols: list[tuple[str, Rule]] = []
        self._pattern_rules: list[Rule] = []
        words: list[tuple[str, Rule]] = []
        for rule in self.rules:
            if rule.kind is RuleKind.PATTERN:
                self._pattern_rules.append(rule)
            elif (form := _find_symbols(rule)) is not None:
                self._symbols.append((form, rule))
            else:
                phrase = split_words(rule.text)
                self._rules_of[numbers.setdefault(phrase, len(numbers))].append(rule)
                if rule.kind is RuleKind.WORD and len(phrase) == 1:
                    words.append((phrase[0], rule))
            if rule.exceptions:
                exceptions = {_number(each, numbers) for each in rule.exceptions}
                self._exceptions_of[id(rule)] = tuple(exceptions)
        inflected = self._add_inflections(words, numbers)
        self._index = PhraseIndex(numbers, inflected)
        self._patterns = PatternSet([rule.text for rule in self._pattern_rules], set_steps)

    @property
    def is_latin(self) -> bool:
        """Return whether all letters in the rules are Latin."""
        return self._index.is_latin

    def find(
        self, readings: Sequence[Reading], check: Callable[[], None] = unlimited
    ) -> Iterator[RuleMatch]:
        """Find every rule in each reading, including those that an exception allows.

        check: called often during the search. If it raises an error, the search ends.
        """
        if not self.rules:
            return
        for reading, hits in self._index.find(readings, check):
            hits_of: dict[int, list[Hit]] = defaultdict(list)
            for hit in hits:
                hits_of[hit.phrase].append(hit)
            for hit in _drop_parted(hits, reading):
                for rule in self._rules_of.get(hit.phrase, ()):
                    check()
                    covers = self._list_covers(rule, hits_of)
                    yield RuleMatch(rule, hit.form, any(map(hit.lies_within, covers)))
            for rule, spans in self._list_spans(reading, check):
                covers = [] if reading.is_spelled else list(self._list_covers(rule, hits_of))
                is_excepted = bool(covers) and _are_covered(spans, reading, covers, check)
                yield RuleMatch(rule, reading.form, is_excepted)

    def _add_inflections(
        self, words: Iterable[tuple[str, Rule]], numbers: dict[tuple[str, ...], int]
    ) -> frozenset[str]:
        """Add the words' plurals and verb forms. Return the forms that are not rules themselves."""
        inflected: set[str] = set()
        for word, rule in words:
            for form in list_inflections(word):
                if (form,) not in numbers:
                    inflected.add(form)
                self._rules_of[numbers.setdefault((form,), len(numbers))].append(rule)
        return frozenset(inflected)

    def _list_covers(self, rule: Rule, hits_of: Mapping[int, list[Hit]]) -> Iterable[Hit]:
        """List where a rule's exceptions match."""
        exceptions = self._exceptions_of.get(id(rule))
        if not exceptions:
            return ()
        return (hit for each in exceptions for hit in hits_of.get(each, ()))

    def _list_spans(self, reading: Reading, check: Callable[[], None]) -> Iterator[_Spans]:
        """List the pattern and symbol rules that match a reading's text, and where."""
        if reading.form in _AS_WRITTEN:
            for form, rule in self._symbols:
                check()
                spans = _find_whole(form, reading.text)
                if (first := next(spans, None)) is not None:
                    yield rule, chain((first,), spans)
        for number in self._patterns.find(reading.text, check):
            yield self._pattern_rules[number], self._patterns.list_spans(number, reading.text)


def _drop_parted(hits: Iterable[Hit], reading: Reading) -> Iterator[Hit]:
    """Drop hits with a comma or the end of a sentence between their words."""
    spans: list[tuple[int, int]] = []
    for hit in hits:
        if hit.end - hit.start > 1 and reading.form in _PUNCTUATED and not reading.is_spelled:
            spans = spans or [match.span() for match in _WORD.finditer(reading.text)]
            pairs = pairwise(spans[hit.start : hit.end])
            if any(_is_border(reading.text, word, after) for word, (after, _) in pairs):
                continue
        yield hit


def _is_border(text: str, word: tuple[int, int], after: int) -> bool:
    border = _BORDER.search(text, word[1], after)
    if border is None or border[0] != ". ":
        return border is not None
    before = text[word[0] : word[1]]
    return len(before) > 1 and before not in _ABBREVIATIONS


def _number(text: str, numbers: dict[tuple[str, ...], int]) -> int:
    return numbers.setdefault(split_words(text), len(numbers))


def _are_covered(
    spans: Iterable[tuple[int, int]],
    reading: Reading,
    covers: Sequence[Hit],
    check: Callable[[], None],
) -> bool:
    words = [match.span() for match in _WORD.finditer(reading.text)]
    allowed = [(words[cover.start][0], words[cover.end - 1][1]) for cover in covers]
    for start, end in spans:
        check()
        if not any(low <= start and end <= high for low, high in allowed):
            return False
    return True


def _find_symbols(rule: Rule) -> str | None:
    """Match words with symbols (such as c++) exactly as written; None if no word has symbols."""
    form = normalise(rule.text)
    return None if _PLAIN_WORDS.fullmatch(form.strip("'\"“”’_*-")) else form


def _find_whole(form: str, text: str) -> Iterator[tuple[int, int]]:
    """Match a form if no letter or digit is directly before or after it."""
    start = text.find(form)
    while start >= 0:
        end = start + len(form)
        if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            yield start, end
        start = text.find(form, start + 1)
