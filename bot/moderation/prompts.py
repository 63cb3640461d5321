"""Judges prompts and negative prompts by the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from bot.domain.jobs import Ancestry
from bot.domain.rules import MINORS, Outcome, Rule, RuleKind, Verdict
from bot.errors import TooCostly
from bot.moderation.allowance import Allowance
from bot.moderation.classes import NO_ANCESTRY, REAL_PEOPLE, Signs, load_classes
from bot.moderation.patterns import OWNER_SET_STEPS
from bot.moderation.readings import Reading, list_readings
from bot.moderation.rulebook import RuleBook, RuleMatch
from bot.moderation.rules import make_word_rules
from bot.moderation.text import normalise
from bot.texts.codes import Code
from bot.texts.reasons import because

_SEVERITY = {Outcome.ALLOW: 0, Outcome.SPOILER: 1, Outcome.HOLD: 2, Outcome.REFUSE: 3}
_OF_WORDS = {
    Outcome.REFUSE: Code.RULE_REFUSES,
    Outcome.HOLD: Code.RULE_HOLDS,
    Outcome.SPOILER: Code.RULE_COVERS,
}
_OF_PATTERNS = {
    Outcome.REFUSE: Code.PATTERN_REFUSES,
    Outcome.HOLD: Code.PATTERN_HOLDS,
    Outcome.SPOILER: Code.PATTERN_COVERS,
}
# The keys: the class, the outcome, and whether the prompt's own words would have passed.
_OF_CLASSES = {
    (MINORS, Outcome.REFUSE, False): Code.MINORS_REFUSED,
    (MINORS, Outcome.REFUSE, True): Code.MINORS_REFUSED_BEHIND,
    (MINORS, Outcome.HOLD, False): Code.MINORS_HELD,
    (MINORS, Outcome.HOLD, True): Code.MINORS_HELD_BEHIND,
    (REAL_PEOPLE, Outcome.REFUSE, False): Code.PEOPLE_REFUSED,
    (REAL_PEOPLE, Outcome.REFUSE, True): Code.PEOPLE_REFUSED_BEHIND,
    (REAL_PEOPLE, Outcome.HOLD, False): Code.PEOPLE_HELD,
    (REAL_PEOPLE, Outcome.HOLD, True): Code.PEOPLE_HELD_BEHIND,
}
NO_RULES = RuleBook(())
_TOO_COSTLY = Verdict(Outcome.REFUSE, because(Code.RULES_TOO_COSTLY), "rules that take too long")
_MAX_UNWANTED = 60  # the most entries of a negative prompt that are judged one by one
_Read = tuple[str, Sequence[Reading]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a text was judged: all its readings, all rules found in them, and the verdict."""

    readings: tuple[Reading, ...]
    findings: tuple[RuleMatch, ...]
    verdict: Verdict


class PromptPolicy:
    """Judges prompts by the instance's rules, the built-in classes and the rules of a server."""

    def __init__(
        self,
        blocked_words: Iterable[str] = (),
        rules: Iterable[Rule] = (),
        allow: Callable[[], Allowance] = Allowance,
    ) -> None:
        """allow: makes the time limit for a server's own rules on one prompt.

        Raises ConfigError for a pattern that cannot be used.
        """
        self._book = RuleBook((*make_word_rules(blocked_words), *rules), OWNER_SET_STEPS)
        self._classes = load_classes()
        self._allow = allow

    @property
    def num_rules(self) -> int:
        """Return the number of rules, not counting the built-in classes."""
        return len(self._book.rules)

    def judge(
        self,
        prompt: str,
        negative_prompt: str,
        own: RuleBook = NO_RULES,
        ancestry: Ancestry = NO_ANCESTRY,
    ) -> Verdict:
        """Return the strictest verdict of any rule, with its reason.

        own: the rules of the server where the prompt was typed. ancestry: the prompts that led to
        the start picture. Only the built-in classes judge these prompts again, because the
        rules have already judged them.
        """
        texts = [self._read(text, own) for text in (prompt, negative_prompt)]
        readings, negative = texts
        verdicts = [*self._judge_classes((prompt, readings), (negative_prompt, negative), ancestry)]
        # The first refusal counts. Refusals about minors come first, because they seal the prompt.
        verdicts.sort(key=_is_of_others)
        return _pick_strictest(chain(verdicts, self._judge_rules(texts, own)))

    def explain(self, prompt: str, own: RuleBook = NO_RULES) -> Explanation:
        """Explain to moderators how a prompt is judged."""
        readings = self._read(prompt, own)
        findings = list(self._book.find(readings))
        with suppress(TooCostly):
            findings.extend(own.find(readings, self._allow().check))
        return Explanation(tuple(readings), tuple(findings), self.judge(prompt, "", own))

    def _read(self, text: str, own: RuleBook) -> list[Reading]:
        books = (self._classes, self._book, own)
        return list_readings(text, latin_only=all(book.is_latin for book in books))

    def _judge_rules(
        self, texts: Iterable[Sequence[Reading]], own: RuleBook
    ) -> Iterator[Verdict | None]:
        for each in texts:
            yield from map(_judge_finding, self._book.find(each))
        if own.rules:
            yield _judge_by(own, texts, self._allow())

    def _judge_classes(
        self, prompt: _Read, negative: _Read, ancestry: Ancestry
    ) -> Iterator[Verdict | None]:
        """Judge the words alone, then together with the prompts that led to the start picture."""
        prompts = [prompt, *self._read_behind(text for text, _ in ancestry.texts)]
        negatives = [negative, *self._read_behind(text for _, text in ancestry.texts)]
        readings = [each for _, each in (*prompts, *negatives)]
        is_known = not (ancestry.is_unknown or ancestry.is_edited)
        if is_known and not any(map(self._classes.may_concern, readings)):
            return
        judge = self._classes.judge
        signs, negative_signs = [*map(self._collect, prompts)], map(self._collect, negatives)
        alone, negative_alone = signs[0], next(negative_signs)
        yield _explain_class(judge(alone, negative=negative_alone))
        if not self._is_list_of_unwanted(negative[0]):
            yield _explain_class(judge(negative_alone))
        together = Signs.unite(signs)
        undressing = Signs.unite([negative_alone, *negative_signs])
        told = {prompt[0], *ancestry.instructions} if ancestry.is_edited else ()
        edits = Signs.unite(
            found for (text, _), found in zip(prompts, signs, strict=True) if text in told
        )
        whole = judge(together, negative=undressing, behind=ancestry, edits=edits.instructed)
        yield _explain_class(whole, is_behind=True)

    def _is_list_of_unwanted(self, negative_prompt: str) -> bool:
        """Return whether a negative prompt is a list like "nsfw, child", and each entry passes
        alone.
        """
        entries = negative_prompt.split(",")
        if not 1 < len(entries) <= _MAX_UNWANTED:
            return False
        return all(
            self._classes.judge(self._collect(read)) is None for read in self._read_behind(entries)
        )

    def _read_behind(self, texts: Iterable[str]) -> Iterator[_Read]:
        for text in dict.fromkeys(texts):
            yield text, list_readings(text, latin_only=self._classes.is_latin)

    def _collect(self, read: _Read) -> Signs:
        text, readings = read
        return self._classes.collect(text, self._classes.find(readings))


def judge_by(book: RuleBook, prompt: str, negative_prompt: str) -> Verdict:
    """Judge a prompt by one rule book only."""
    texts = [list_readings(text, latin_only=book.is_latin) for text in (prompt, negative_prompt)]
    return _judge_by(book, texts, Allowance())


def _judge_by(book: RuleBook, texts: Iterable[Sequence[Reading]], allowance: Allowance) -> Verdict:
    try:
        return _pick_strictest(
            _judge_finding(found) for each in texts for found in book.find(each, allowance.check)
        )
    except TooCostly:
        return _TOO_COSTLY


def _is_of_others(verdict: Verdict | None) -> bool:
    """Return whether a verdict is about something other than minors."""
    return verdict is None or verdict.rule != MINORS


def _pick_strictest(verdicts: Iterable[Verdict | None]) -> Verdict:
    """Return the strictest verdict. If several are equally strict, return the first of them."""
    strictest = Verdict(Outcome.ALLOW)
    for verdict in verdicts:
        if verdict and _SEVERITY[verdict.outcome] > _SEVERITY[strictest.outcome]:
            strictest = verdict
        if strictest.outcome is Outcome.REFUSE:
            break
    return strictest


def _judge_finding(finding: RuleMatch) -> Verdict | None:
    if finding.is_excepted:
        return None
    rule = finding.rule
    if rule.kind is RuleKind.PATTERN:
        reason = because(_OF_PATTERNS[rule.action])
    else:
        reason = because(_OF_WORDS[rule.action], text=normalise(rule.text))
    return Verdict(rule.action, reason, rule.text, finding.form)


def _explain_class(verdict: Verdict | None, *, is_behind: bool = False) -> Verdict | None:
    """Add the reason to a verdict of a class. is_behind: only earlier prompts caused it."""
    if verdict is None or verdict.reason is not None:
        return verdict
    return replace(verdict, reason=because(_OF_CLASSES[verdict.rule, verdict.outcome, is_behind]))
