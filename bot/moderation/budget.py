"""Limits the cost of a server's rules to a budget, so that no server can slow down another.

Measuring the cost (``weigh``) compiles unknown patterns, and compiling blocks all other threads. So
a server's rules are measured in a worker process. Rules within the budget compile in a few
milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.domain.rules import Rule, RuleKind
from bot.errors import ConfigError
from bot.moderation.patterns import count_steps
from bot.texts import rules as texts

# Rules beyond one of these limits are refused, and their cost is not measured.
_MAX_WEIGHED = 10  # how many times the budget
_MAX_WEIGHING_SECONDS = 2.0  # seconds of CPU time; the caller waits five times as long


@dataclass(frozen=True, slots=True)
class Weight:
    """The cost of some rules, or a budget for them.

    rules: how many there are. steps: the cost of their patterns, from ``count_steps``. letters: the
    length of their texts and exceptions.
    """

    rules: int = 0
    steps: int = 0
    letters: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(
            self.rules + other.rules, self.steps + other.steps, self.letters + other.letters
        )

    def fits(self, budget: Weight) -> bool:
        """Return whether this cost is within every part of the budget."""
        return (
            self.rules <= budget.rules
            and self.steps <= budget.steps
            and self.letters <= budget.letters
        )


NOTHING = Weight()

SERVER_BUDGET = Weight(rules=2000, steps=5000, letters=40_000)
"""The budget for one server's rules. docs/moderation.md has the times of the costliest rules."""

OWNER_BUDGET = Weight(rules=5000, steps=50_000, letters=400_000)
"""The budget for the bot owner's own rules, which judge every prompt."""


def weigh(rule: Rule) -> Weight:
    """Return the cost of a rule. Raises ConfigError with the reason if its pattern is refused."""
    steps = count_steps(rule.text) if rule.kind is RuleKind.PATTERN else 0
    return Weight(1, steps, len(rule.text) + sum(map(len, rule.exceptions)))


def require_budget(
    rules: Iterable[Rule], present: Iterable[Rule] = (), budget: Weight = SERVER_BUDGET
) -> None:
    """Raise ConfigError if new rules are unusable, or if all rules together exceed the budget."""
    used = total = sum(map(weigh, present), NOTHING)
    for rule in rules:
        total += weigh(rule)
        require_fit(total, budget, used)  # check here, so that the next rule is not compiled


def require_fit(total: Weight, budget: Weight, used: Weight = NOTHING) -> None:
    """Raise ConfigError if the budget is exceeded. The error names what is used and the limit."""
    for what, need, most, before in (
        ("rules", total.rules, budget.rules, used.rules),
        ("steps", total.steps, budget.steps, used.steps),
        ("letters", total.letters, budget.letters, used.letters),
    ):
        if need > most:
            left = most - before
            over = texts.OVER_WHAT_IS_LEFT if before else texts.OVER_BUDGET
            raise ConfigError(over[what](count=left, used=before, most=most))


def list_faults(rules: Iterable[Rule]) -> dict[Rule, str]:
    """List the rules that cannot be used, and why."""
    faults: dict[Rule, str] = {}
    for rule in rules:
        try:
            weigh(rule)
        except ConfigError as error:
            faults[rule] = str(error)
    return faults


def list_beyond(
    rules: Mapping[int, Rule],
    budget: Weight = SERVER_BUDGET,
    clock: Callable[[], float] = time.thread_time,
) -> tuple[int, ...]:
    """List the numbers of the rules that do not fit into the budget after the rules before them."""
    total, beyond = NOTHING, list[int]()
    weighed, end = 0, clock() + _MAX_WEIGHING_SECONDS
    for number, rule in rules.items():
        try:
            is_too_much = weighed > budget.steps * _MAX_WEIGHED or clock() > end
            if rule.kind is RuleKind.PATTERN and is_too_much:
                raise ConfigError("too much to be weighed")
            weight = weigh(rule)
        except ConfigError:
            beyond.append(number)
            weighed += budget.steps // _MAX_WEIGHED
            continue
        weighed += weight.steps
        if (total + weight).fits(budget):
            total += weight
        else:
            beyond.append(number)
    return tuple(beyond)
