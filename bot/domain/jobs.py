"""The values that describe jobs. Times are Unix seconds (UTC); ids are Discord snowflakes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.recipes import Recipe
from bot.texts.catalog import ENGLISH
from bot.texts.reasons import Reason


class JobStatus(StrEnum):
    """The state of a job. CONTRIBUTING.md shows which state can follow which."""

    ACCEPTED = "accepted"  # committed, but the member has no answer yet
    HELD = "held"  # a moderator has to look at it first
    QUEUED = "queued"
    RUNNING = "running"
    RENDERED = "rendered"  # the pictures are judged and on disk, but not yet posted
    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # held, and no moderator decided in time
    UNDELIVERABLE = "undeliverable"


class Source(StrEnum):
    """Where a job came from."""

    INTERACTION = "interaction"  # a member on Discord: a command, a button, a form
    TERMINAL = "terminal"  # the owner's command line, which no quota binds
    ROUND = "round"  # a group round of several members


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked, and where the answer goes. A job from the terminal has user_id 0 and no other ids.

    interaction_id: used only to make sure that an interaction makes at most one job. token:
    Discord's interaction token. It is valid for 15 minutes and erased after that. bot_in_channel:
    False if the bot is not in this channel, so that only the token can edit the reply.
    parent_channel_id: the channel of a thread. role_ids, joined_at: known only when the member
    asks, because they are not stored. locale, guild_locale: the language of the member and of the
    server, as Discord names them.
    """

    user_id: int = 0
    interaction_id: int | None = None
    token: str | None = None
    guild_id: int | None = None
    channel_id: int | None = None
    bot_in_channel: bool = True
    parent_channel_id: int | None = None
    age_restricted: bool = False
    role_ids: tuple[int, ...] = ()
    joined_at: float | None = None
    source: Source = Source.INTERACTION
    locale: str = ENGLISH
    guild_locale: str | None = None

    @property
    def shown_locale(self) -> str:
        """Return the language of the job's message: the server's, or else the member's."""
        return self.guild_locale or self.locale


@dataclass(frozen=True, slots=True)
class Ancestry:
    """The history of a start picture: the prompts of the jobs that led to it.

    texts: each job's prompt and negative prompt. is_sent: a person sent the first picture.
    is_unknown: some texts are missing here, because they were deleted, a job is not in the
    database, or there are too many. is_edited: a picture was or will be edited by instruction.
    instructions: the prompts among the texts that were such instructions.
    models: the ids of the models that drew these jobs.
    depicts_person: one of them, or the model that will draw, was trained on a real person.
    """

    texts: tuple[tuple[str, str], ...] = ()
    is_sent: bool = False
    is_unknown: bool = False
    is_edited: bool = False
    instructions: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    depicts_person: bool = False

    @property
    def edits_sent(self) -> bool:
        """Return whether the edited picture goes back to one that a person sent, or may have."""
        return self.is_edited and (self.is_sent or self.is_unknown)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a job's cost that one member pays. weight: the member's share of the queue."""

    user_id: int
    share: float = 1.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the job table.

    cost_estimate, cost: 1.0 is one default request of the default model (three pictures with its
    default settings). ``cost`` counts against quotas. It is never more than the estimate, and 0 if
    nothing was drawn. engine, gpu_seconds: the engine that drew the job, and how long that took.
    attempt: how many times drawing was started. engines_lost: how often that failed because the
    engine was lost, while other engines went on. reason: why it ended without pictures. rule,
    rules_version: the rule that decided, and the version of the server's rules at that moment.
    is_held: a moderator still has to approve it. held_for: why it is held. approved_by: the
    moderator who approved it. weight: its member's share of the queue. hidden: its pictures were
    reported and are not shown. deleted_at, deleted_by: when its pictures were deleted, and by whom
    (0: by retention). end_notified: False if the job ended without pictures and its message may not
    show that yet. shares: who pays for the job of a round; such a job has user_id 0, and costs
    nothing if its pictures are not delivered.
    """

    job_id: int
    origin: Origin
    recipe: Recipe
    status: JobStatus
    cost_estimate: float
    cost: float
    accepted_at: float
    attempt: int = 0
    engines_lost: int = 0
    message_id: int | None = None
    queued_at: float | None = None
    started_at: float | None = None
    rendered_at: float | None = None
    ended_at: float | None = None
    gpu_seconds: float | None = None
    engine: str = ""
    cut_words: str = ""
    cut_negative_words: str = ""
    reason: Reason | None = None
    spoiler: bool = False
    rule: str = ""
    rules_version: int = 0
    is_held: bool = False
    held_for: Reason | None = None
    weight: float = 1.0
    deleted_at: float | None = None
    deleted_by: int | None = None
    approved_by: int | None = None
    hidden: bool = False
    end_notified: bool = True
    shares: tuple[Share, ...] = ()

    @property
    def payers(self) -> tuple[Share, ...]:
        """Return who pays for this job: the authors of a round, or else its member."""
        return self.shares or (Share(self.origin.user_id, weight=self.weight),)

    @property
    def num_tries(self) -> int:
        """Return the number of attempts, without those that ended because their engine was lost."""
        return self.attempt - self.engines_lost


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of the quotas is used. member_cost: in the last hour, in default requests."""

    member_waiting: int
    guild_waiting: int
    total_waiting: int
    member_cost: float
