"""Rules for prompts, and what they say to one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.texts.reasons import Reason


class Outcome(StrEnum):
    """What the rules say to a prompt."""

    ALLOW = "allow"
    SPOILER = "spoiler"  # drawn, and covered until somebody clicks on it
    HOLD = "hold"  # a moderator has to look at it first
    REFUSE = "refuse"


class RuleKind(StrEnum):
    """How the text of a rule is read: pattern is RE2 syntax."""

    WORD = "word"
    PHRASE = "phrase"
    PATTERN = "pattern"


@dataclass(frozen=True, slots=True)
class Rule:
    """Text that nobody may use, or only so. exceptions: phrases within which it is allowed."""

    kind: RuleKind
    text: str
    action: Outcome = Outcome.REFUSE
    exceptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GuildRule:
    """A rule of one server, and who added it."""

    rule_id: int
    rule: Rule
    added_by: int
    added_at: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """outcome, and unless it is ALLOW why.

    rule, form: the rule that decided, and how the text had to be read for it to be found.
    rules_version: of the server's rules, 0 where it has none of its own.
    """

    outcome: Outcome
    reason: Reason | None = None
    rule: str = ""
    form: str = ""
    rules_version: int = 0

    @property
    def is_allowed(self) -> bool:
        """Whether it may go on, be it as a spoiler."""
        return self.outcome in {Outcome.ALLOW, Outcome.SPOILER}
