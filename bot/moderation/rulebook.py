"""Rules compiled once: of the instance, or of one server."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import re2

from bot.moderation.patterns import PatternSet
from bot.moderation.phrases import Hit, PhraseIndex, split_words
from bot.moderation.readings import Form, Reading
from bot.moderation.text import normalise
from bot.records import Rule, RuleKind

_WORD = re.compile(r"[^\W_]+")
_PLAIN_WORDS = re.compile(r"[^\W_]+(?:[\s'’_-]+[^\W_]+)*")
_BORDER = r"(?:^|$|[^\pL\pN])"
_AS_WRITTEN = {Form.PLAIN, Form.LOOKALIKES}


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was found, and how. is_excepted: one of its exceptions allows it there."""

    rule: Rule
    form: Form
    is_excepted: bool = False


class RuleBook:
    """Finds its rules in the readings of a text."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Raises ConfigError for a pattern that cannot be used."""
        self.rules = tuple(rules)
        phrases: list[tuple[str, ...]] = []
        self._rule_of: dict[int, Rule] = {}
        self._excepted: dict[int, Rule] = {}
        patterns: list[tuple[str, Rule]] = []
        for rule in self.rules:
            pattern = _find_pattern(rule)
            if pattern is None:
                self._rule_of[len(phrases)] = rule
                phrases.append(split_words(rule.text))
            else:
                patterns.append((pattern, rule))
            for exception in rule.exceptions:
                self._excepted[len(phrases)] = rule
                phrases.append(split_words(exception))
        self._index = PhraseIndex(phrases)
        self._patterns = PatternSet([pattern for pattern, _ in patterns])
        self._pattern_rules = [rule for _, rule in patterns]

    @property
    def is_latin(self) -> bool:
        """Whether no rule has letters of another script."""
        return self._index.is_latin

    def find(self, readings: Sequence[Reading]) -> Iterator[Finding]:
        """Every rule in each reading, those that an exception allows there as well."""
        if not self.rules:
            return
        for reading, all_hits in self._index.find(readings):
            excepted: dict[int, list[Hit]] = defaultdict(list)
            hits: list[tuple[Rule, Hit]] = []
            for hit in all_hits:
                rule = self._rule_of.get(hit.phrase)
                if rule is None:
                    excepted[id(self._excepted[hit.phrase])].append(hit)
                else:
                    hits.append((rule, hit))
            for rule, hit in hits:
                is_excepted = any(hit.lies_within(cover) for cover in excepted.get(id(rule), ()))
                yield Finding(rule, hit.form, is_excepted)
            yield from self._find_patterns(reading, excepted)

    def _find_patterns(self, reading: Reading, excepted: dict[int, list[Hit]]) -> Iterator[Finding]:
        for number in self._patterns.find(reading.text):
            rule = self._pattern_rules[number]
            if rule.kind is not RuleKind.PATTERN and reading.form not in _AS_WRITTEN:
                continue
            covers = [] if reading.is_spelled else excepted.get(id(rule), [])
            is_excepted = bool(covers) and self._is_covered(number, reading, covers)
            yield Finding(rule, reading.form, is_excepted)

    def _is_covered(self, number: int, reading: Reading, covers: list[Hit]) -> bool:
        words = [match.span() for match in _WORD.finditer(reading.text)]
        allowed = [(words[cover.start][0], words[cover.end - 1][1]) for cover in covers]
        return all(
            any(low <= start and end <= high for low, high in allowed)
            for start, end in self._patterns.list_spans(number, reading.text)
        )


def _find_pattern(rule: Rule) -> str | None:
    """RE2 for a pattern, and for words with symbols (c++), which must stand as written."""
    if rule.kind is RuleKind.PATTERN:
        return rule.text
    form = normalise(rule.text)
    if _PLAIN_WORDS.fullmatch(form.strip("'\"“”’_*-")):
        return None
    return f"{_BORDER}{re2.escape(form)}{_BORDER}"
