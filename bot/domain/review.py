"""The values for review: cards, reports, strikes, suspensions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.jobs import Job
from bot.domain.rounds import Phrase
from bot.domain.rules import GuildRule
from bot.texts.reasons import Reason


class CardKind(StrEnum):
    """What a moderator is asked to decide about."""

    HELD = "held"  # a prompt, or pictures that nobody has seen yet
    REPORT = "report"  # pictures that members have reported
    APPEAL = "appeal"  # a suspension against which the member appeals
    # rules of the server that are over its budget; moderators can only read this card
    RULES = "rules"
    PHRASE = "phrase"  # a phrase of a round


class Decision(StrEnum):
    """The ways in which a card can end. The buttons on it have the same names."""

    APPROVE = "approve"
    COVER = "cover"  # approved as a spoiler
    REFUSE = "refuse"
    SUSPEND = "suspend"  # refused, and the member suspended
    RESTORE = "restore"
    REMOVE = "remove"
    STRIKE = "strike"  # removed, and the member struck
    GRANT = "grant"
    DENY = "deny"
    NOTE = "note"  # a moderator has read it
    EXPIRE = "expire"  # no moderator decided in time
    WITHDRAW = "withdraw"  # the member cancelled the prompt
    UNSEEN = "unseen"  # the card could not be posted, so no moderator saw it


CHOICES = {
    CardKind.HELD: (Decision.APPROVE, Decision.COVER, Decision.REFUSE, Decision.SUSPEND),
    CardKind.REPORT: (Decision.RESTORE, Decision.REMOVE, Decision.STRIKE),
    CardKind.APPEAL: (Decision.GRANT, Decision.DENY),
    CardKind.RULES: (Decision.NOTE,),
    CardKind.PHRASE: (Decision.APPROVE, Decision.REFUSE, Decision.SUSPEND),
}
"""The decisions that a moderator may choose from, in the order of the buttons."""

APPROVING = frozenset({Decision.APPROVE, Decision.COVER})
"""Only moderators who have seen what they approve may choose these."""

SHOWING = frozenset({Decision.APPROVE, Decision.COVER, Decision.RESTORE})
"""After these decisions, people see the pictures."""

ASKING = frozenset(
    {Decision.REFUSE, Decision.SUSPEND, Decision.REMOVE, Decision.STRIKE, Decision.DENY}
)
"""These cannot be undone, so a form asks the moderator to confirm and takes a reason."""

AGAINST_MEMBER = frozenset({Decision.SUSPEND, Decision.STRIKE})
"""Only moderators who rank above the member may choose these."""


@dataclass(frozen=True, slots=True)
class Card:
    """A question to the moderators of a guild, and its answer.

    channel_id, message_id: None until it is posted. decided_by: 0 is Triptych itself. reason: what
    the moderator wrote for the member. settled_at: when everybody concerned had been told about the
    decision.
    """

    card_id: int
    kind: CardKind
    guild_id: int
    member_id: int
    opened_at: float
    job_id: int | None = None
    suspension_id: int | None = None
    phrase_id: int | None = None
    expires_at: float | None = None
    channel_id: int | None = None
    message_id: int | None = None
    decision: Decision | None = None
    decided_by: int = 0
    decided_at: float | None = None
    reason: str = ""
    settled_at: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A member's report about the pictures of a job."""

    report_id: int
    reporter_id: int
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Strike:
    """A strike against a member, which expires by itself."""

    strike_id: int
    member_id: int
    reason: Reason | None
    given_by: int
    given_at: float
    lapses_at: float
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """A member may not prompt until the suspension ends. appealed_at: when the member appealed."""

    suspension_id: int
    guild_id: int
    member_id: int
    reason: Reason | None
    given_by: int
    given_at: float
    ends_at: float
    appeal: str = ""
    appealed_at: float | None = None
    lifted_at: float | None = None


@dataclass(frozen=True, slots=True)
class RulesBeyond:
    """The numbers of a server's rules that exceed its budget, for one version of the rules."""

    version: int
    budget: str
    rule_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a card shows. picture: a blurred PNG. strikes: the number of active ones.

    delete_by_hand: a moderator must delete the message of removed pictures, because the bot cannot.
    beyond: rules that do not apply, because they exceed the budget. is_sealed: nobody may see the
    prompt or the pictures. is_bare: the card shows no words of members, because Discord refuses the
    card with them. phrase, theme: the phrase of a round that waits on this card, and the theme of
    that round.
    """

    card: Card
    job: Job | None = None
    suspension: Suspension | None = None
    reports: tuple[Report, ...] = ()
    strikes: int = 0
    picture: bytes | None = None
    beyond: tuple[GuildRule, ...] = ()
    delete_by_hand: bool = False
    is_sealed: bool = False
    is_bare: bool = False
    phrase: Phrase | None = None
    theme: str = ""
