"""What the rules say to a prompt. Both the prompt and the negative prompt are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from bot.errors import TooCostly
from bot.moderation.allowance import Allowance
from bot.moderation.classes import MINORS, BuiltInClasses
from bot.moderation.readings import Reading, list_readings
from bot.moderation.rulebook import Finding, RuleBook
from bot.moderation.rules import make_word_rules
from bot.moderation.text import normalise
from bot.records import Outcome, Rule, RuleKind, Verdict

_SEVERITY = {Outcome.ALLOW: 0, Outcome.SPOILER: 1, Outcome.HOLD: 2, Outcome.REFUSE: 3}
_UNCHARGED = "Nothing was drawn or charged; change the prompt and try again."
NO_RULES = RuleBook(())
_TOO_COSTLY = Verdict(
    Outcome.REFUSE,
    "The rules of this server take too long to read this prompt, so it was refused. Nothing was "
    "drawn or charged; change the prompt, or ask a moderator to make the patterns simpler.",
    "rules that take too long",
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found in a text: every form in which it was read, every rule in each, the end."""

    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict


class PromptPolicy:
    """The instance's rules and the built-in classes, and beside them the rules of a server."""

    def __init__(
        self,
        blocked_words: Iterable[str] = (),
        rules: Iterable[Rule] = (),
        allow: Callable[[], Allowance] = Allowance,
    ) -> None:
        """allow: the time that a server's own rules may take over one prompt.

        Raises ConfigError for a pattern that cannot be used.
        """
        self._book = RuleBook((*make_word_rules(blocked_words), *rules))
        self._classes = BuiltInClasses()
        self._allow = allow

    @property
    def num_rules(self) -> int:
        """Without the built-in classes."""
        return len(self._book.rules)

    def judge(self, prompt: str, negative_prompt: str, own: RuleBook = NO_RULES) -> Verdict:
        """The strictest thing that any rule says, with the sentence a member may read.

        own: the rules of the server where it was asked.
        """
        verdicts: list[Verdict | None] = []
        texts = [self._read(text, own) for text in (prompt, negative_prompt)]
        for readings in texts:
            verdicts += map(_judge_finding, self._book.find(readings))
        verdicts.append(_judge_by(own, texts, self._allow()))
        if any(map(self._classes.may_concern, texts)):
            positive, negative = map(self._classes.find, texts)
            signs = self._classes.collect(prompt, positive)
            negative_signs = self._classes.collect(negative_prompt, negative)
            verdicts.append(self._classes.judge(signs, negative=negative_signs))
            verdicts.append(self._classes.judge(negative_signs))
        strictest = _pick_strictest(verdicts)
        return strictest if strictest.reason else _explain_class(strictest)

    def explain(self, prompt: str, own: RuleBook = NO_RULES) -> Explanation:
        """For moderators who want to know why."""
        readings = self._read(prompt, own)
        findings = list(self._book.find(readings))
        with suppress(TooCostly):
            findings.extend(own.find(readings, self._allow().check))
        return Explanation(tuple(readings), tuple(findings), self.judge(prompt, "", own))

    def _read(self, text: str, own: RuleBook) -> list[Reading]:
        books = (self._classes, self._book, own)
        return list_readings(text, latin_only=all(book.is_latin for book in books))


def judge_by(book: RuleBook, prompt: str, negative_prompt: str) -> Verdict:
    """What these rules alone say."""
    texts = [list_readings(text, latin_only=book.is_latin) for text in (prompt, negative_prompt)]
    return _judge_by(book, texts, Allowance())


def _judge_by(book: RuleBook, texts: Iterable[Sequence[Reading]], allowance: Allowance) -> Verdict:
    try:
        return _pick_strictest(
            _judge_finding(found) for each in texts for found in book.find(each, allowance.check)
        )
    except TooCostly:
        return _TOO_COSTLY


def _pick_strictest(verdicts: Iterable[Verdict | None]) -> Verdict:
    """The first of the strictest."""
    strictest = Verdict(Outcome.ALLOW)
    for verdict in verdicts:
        if verdict and _SEVERITY[verdict.outcome] > _SEVERITY[strictest.outcome]:
            strictest = verdict
        if strictest.outcome is Outcome.REFUSE:
            break
    return strictest


def _judge_finding(finding: Finding) -> Verdict | None:
    if finding.is_excepted:
        return None
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
