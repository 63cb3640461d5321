"""The rules a prompt must pass. Both the prompt and the negative prompt are read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import re2

from bot.moderation.classes import MINORS, BuiltInClasses, Categories, is_sexual, read_lexicon
from bot.moderation.patterns import PatternSet
from bot.moderation.phrases import Hit, PhraseIndex, split_words
from bot.moderation.readings import Form, Reading, list_readings
from bot.moderation.rules import make_word_rules
from bot.moderation.text import normalise
from bot.records import Outcome, Rule, RuleKind, Verdict

_WORD = re.compile(r"[^\W_]+")
_PLAIN_WORDS = re.compile(r"[^\W_]+(?:[\s'’_-]+[^\W_]+)*")
_BORDER = r"(?:^|$|[^\pL\pN])"
_SEVERITY = {Outcome.ALLOW: 0, Outcome.SPOILER: 1, Outcome.HOLD: 2, Outcome.REFUSE: 3}
_UNCHARGED = "Nothing was drawn or charged; change the prompt and try again."


@dataclass(frozen=True, slots=True)
class _Finding:
    """A rule that was found, and how."""

    rule: Rule
    form: Form


class PromptPolicy:
    """Rules compiled once, and the built-in classes."""

    def __init__(self, blocked_words: Iterable[str] = (), rules: Iterable[Rule] = ()) -> None:
        """Raises ConfigError for a pattern that cannot be used."""
        self._rules = (*make_word_rules(blocked_words), *rules)
        lexicon = read_lexicon()
        self._classes = BuiltInClasses(lexicon)
        phrases: list[tuple[str, ...]] = []
        self._rule_of: dict[int, Rule] = {}
        self._excepted: dict[int, Rule] = {}
        self._category_of: dict[int, str] = {}
        patterns: list[tuple[str, Rule]] = []
        for rule in self._rules:
            pattern = _find_pattern(rule)
            if pattern is None:
                self._rule_of[len(phrases)] = rule
                phrases.append(split_words(rule.text))
            else:
                patterns.append((pattern, rule))
            for exception in rule.exceptions:
                self._excepted[len(phrases)] = rule
                phrases.append(split_words(exception))
        for category, terms in lexicon.items():
            for term in terms:
                self._category_of[len(phrases)] = category
                phrases.append(split_words(term))
        self._index = PhraseIndex(phrases)
        self._patterns = PatternSet([pattern for pattern, _ in patterns])
        self._pattern_rules = [rule for _, rule in patterns]

    @property
    def num_rules(self) -> int:
        """Without the built-in classes."""
        return len(self._rules)

    def judge(self, prompt: str, negative_prompt: str) -> Verdict:
        """The strictest thing that any rule says, with the sentence a member may read."""
        found, categories = self._search(prompt)
        more, negative_categories = self._search(negative_prompt)
        verdicts: list[Verdict | None] = [_judge_finding(finding) for finding in (*found, *more)]
        if is_sexual(categories) or is_sexual(negative_categories):
            signs = self._classes.collect(prompt, categories)
            negative = self._classes.collect(negative_prompt, negative_categories)
            verdicts.append(self._classes.judge(signs, negative=negative))
            verdicts.append(self._classes.judge(negative))
        strictest = Verdict(Outcome.ALLOW)
        for verdict in verdicts:
            if verdict and _SEVERITY[verdict.outcome] > _SEVERITY[strictest.outcome]:
                strictest = verdict
        return strictest if strictest.reason else _explain_class(strictest)

    def _search(self, text: str) -> tuple[list[_Finding], Categories]:
        found: list[_Finding] = []
        by_category: Categories = []
        readings = list_readings(text, latin_only=self._index.is_latin)
        for reading, all_hits in self._index.find(readings):
            categories: dict[str, list[Hit]] = defaultdict(list)
            hits: list[tuple[Rule, Hit]] = []
            excepted: dict[int, list[Hit]] = defaultdict(list)
            for hit in all_hits:
                number = hit.phrase
                if number in self._category_of:
                    categories[self._category_of[number]].append(hit)
                elif number in self._rule_of:
                    hits.append((self._rule_of[number], hit))
                else:
                    excepted[id(self._excepted[number])].append(hit)
            by_category.append((reading, categories))
            found.extend(
                _Finding(rule, hit.form)
                for rule, hit in hits
                if not any(hit.lies_within(cover) for cover in excepted.get(id(rule), ()))
            )
            found.extend(self._search_patterns(reading, excepted))
        return found, by_category

    def _search_patterns(
        self, reading: Reading, excepted: dict[int, list[Hit]]
    ) -> Iterator[_Finding]:
        for number in self._patterns.find(reading.text):
            rule = self._pattern_rules[number]
            if rule.kind is not RuleKind.PATTERN and reading.form not in _AS_WRITTEN:
                continue
            covers = [] if reading.is_spelled else excepted.get(id(rule), [])
            if not covers or not self._is_covered(number, reading, covers):
                yield _Finding(rule, reading.form)

    def _is_covered(self, number: int, reading: Reading, covers: list[Hit]) -> bool:
        words = [match.span() for match in _WORD.finditer(reading.text)]
        allowed = [(words[cover.start][0], words[cover.end - 1][1]) for cover in covers]
        return all(
            any(low <= start and end <= high for low, high in allowed)
            for start, end in self._patterns.list_spans(number, reading.text)
        )


_AS_WRITTEN = {Form.PLAIN, Form.LOOKALIKES}


def _find_pattern(rule: Rule) -> str | None:
    """RE2 for a pattern, and for words with symbols (c++), which must stand as written."""
    if rule.kind is RuleKind.PATTERN:
        return rule.text
    form = normalise(rule.text)
    if _PLAIN_WORDS.fullmatch(form.strip("'\"“”’_*-")):
        return None
    return f"{_BORDER}{re2.escape(form)}{_BORDER}"


def _judge_finding(finding: _Finding) -> Verdict:
    rule = finding.rule
    name = "this" if rule.kind is RuleKind.PATTERN else f"“{normalise(rule.text)}”"
    reason = {
        Outcome.REFUSE: f"The rules here do not allow {name} in a prompt. {_UNCHARGED}",
        Outcome.HOLD: f"The rules here ask for care with {name} in a prompt.",
        Outcome.SPOILER: f"The rules here cover pictures with {name} in the prompt.",
    }[rule.action]
    return Verdict(rule.action, reason, rule.text, finding.form)


def _explain_class(verdict: Verdict) -> Verdict:
    about = "minors" if verdict.rule == MINORS else "real people"
    if verdict.outcome is Outcome.REFUSE:
        reason = f"Triptych draws no sexual content about {about}. {_UNCHARGED}"
        return replace(verdict, reason=reason)
    if verdict.outcome is Outcome.HOLD:
        reason = f"This may be sexual content about {about}."
        return replace(verdict, reason=reason)
    return verdict
