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


class Outcome(StrEnum):
    """What the rules say to a prompt or a picture."""

    ALLOW = "allow"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Verdict:
    """outcome, and for a refusal the sentence a member may read."""

    outcome: Outcome
    reason: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether it may go on."""
        return self.outcome is Outcome.ALLOW


@dataclass(frozen=True, slots=True)
class PanelVerdict:
    """nsfw_content_detected: None where no checker ran. shown: whether people may see the panel."""

    nsfw_content_detected: bool | None
    shown: bool


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
