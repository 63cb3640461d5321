"""The frozen values that cross rooms. Times are Unix seconds (UTC); ids are Discord snowflakes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job stands. DESIGN's picture of the ways between them is in CONTRIBUTING.md."""

    ACCEPTED = "accepted"  # committed, not yet answered
    QUEUED = "queued"
    RUNNING = "running"
    RENDERED = "rendered"  # pictures judged and on disk, not yet posted
    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked, and where the answer goes. A terminal job has no ids and user_id 0.

    token: Discord's interaction token, good for 15 minutes and blanked after that.
    bot_in_channel: False where the bot is no member, so that only the token can reach the reply.
    """

    user_id: int = 0
    interaction_id: int | None = None
    token: str | None = None
    guild_id: int | None = None
    channel_id: int | None = None
    bot_in_channel: bool = True

    @property
    def is_terminal(self) -> bool:
        """Whether it was asked for on the command line."""
        return self.interaction_id is None


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person typed, unchecked. None means: the model's default, or a random seed."""

    prompt: str
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    seed: int | None = None
    preset: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything needed to draw a job again.

    A job taken while the model still loads keeps None where the model's default will be filled in.
    preset: what the values came from; guidance_until: the share of the steps that are guided.
    """

    prompt: str
    negative_prompt: str
    seeds: tuple[int, ...]
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    model: str | None = None
    preset: str = "quality"
    guidance_until: float = 1.0

    @property
    def guidance(self) -> str:
        """ "7.5", or "7.5 for 60 % of the steps"."""
        scale = "" if self.guidance_scale is None else f"{self.guidance_scale:g}"
        if self.guidance_until >= 1:
            return scale
        return f"{scale} for {self.guidance_until * 100:.0f} % of the steps"


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the job table.

    cost_estimate, cost: in default requests of the model (1.0 = three pictures with the model's
    default settings); ``cost`` is what counts against quotas and is 0 for what was not drawn.
    attempt: how many times drawing was begun. reason: why it ended as it did, safe to show.
    """

    job_id: int
    origin: Origin
    recipe: Recipe
    status: JobStatus
    cost_estimate: float
    cost: float
    accepted_at: float
    attempt: int = 0
    message_id: int | None = None
    queued_at: float | None = None
    started_at: float | None = None
    rendered_at: float | None = None
    ended_at: float | None = None
    gpu_seconds: float | None = None
    cut_words: str = ""
    reason: str = ""
    spoiler: bool = False


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
class Verdict:
    """outcome, and unless it is ALLOW the sentence a member may read.

    rule, form: the rule that decided, and how the text had to be read for it to be found.
    """

    outcome: Outcome
    reason: str = ""
    rule: str = ""
    form: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether it may go on, be it as a spoiler."""
        return self.outcome in {Outcome.ALLOW, Outcome.SPOILER}


@dataclass(frozen=True, slots=True)
class PanelVerdict:
    """What the picture check says of one panel.

    nsfw_content_detected: None if the check did not work. shown: whether people may see the panel.
    nsfw_score: 0 to 1, of the embedded classifier; None where it did not judge.
    """

    nsfw_content_detected: bool | None
    shown: bool
    nsfw_score: float | None = None

    @property
    def was_judged(self) -> bool:
        """Whether any checker came to a verdict."""
        return self.nsfw_content_detected is not None


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One file of a job. panel: 0 for the grid, 1 to 3 for the pictures."""

    panel: int
    path: str
    sha256: str
    verdict: PanelVerdict | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of the quotas is used. costs in default requests within the last hour."""

    member_waiting: int
    guild_waiting: int
    total_waiting: int
    member_cost: float


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Totals of one guild, member and UTC day."""

    day: str
    guild_id: int | None
    user_id: int
    jobs: int
    delivered: int
    pictures: int
    gpu_seconds: float
    mean_wait_seconds: float | None
    mean_draw_seconds: float | None
