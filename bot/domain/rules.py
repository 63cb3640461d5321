"""Rules for prompts, and their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.texts.reasons import Reason

MINORS = "built-in: sexual content about minors"
"""The rule about minors. Prompts that it refuses are sealed: only their author may read them."""

SUSPENDED = "suspended"
"""A verdict names this rule if the member is suspended. Then the prompt itself is not judged."""


class Outcome(StrEnum):
    """What the rules do with a prompt."""

    ALLOW = "allow"
    SPOILER = "spoiler"  # drawn, but covered until somebody clicks on it
    HOLD = "hold"  # a moderator decides first
    REFUSE = "refuse"


class RuleKind(StrEnum):
    """How the text of a rule is read. A pattern is in RE2 syntax."""

    WORD = "word"
    PHRASE = "phrase"
    PATTERN = "pattern"


@dataclass(frozen=True, slots=True)
class Rule:
    """A text, and what happens to prompts that contain it.

    exceptions: phrases in which the text is allowed.
    """

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
    """What happens to a prompt, with the reason unless it is allowed.

    rule: the rule that decided. form: the disguise that was undone when that rule matched.
    rules_version: the version of the server's rules; 0 if the server has no rules of its own.
    """

    outcome: Outcome
    reason: Reason | None = None
    rule: str = ""
    form: str = ""
    rules_version: int = 0

    @property
    def is_allowed(self) -> bool:
        """Return whether the prompt may be drawn, openly or as a spoiler."""
        return self.outcome in {Outcome.ALLOW, Outcome.SPOILER}
