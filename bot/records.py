"""The frozen values that cross rooms. Times are Unix seconds (UTC); ids are Discord snowflakes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job stands. DESIGN's picture of the ways between them is in CONTRIBUTING.md."""

    ACCEPTED = "accepted"  # committed, not yet answered
    HELD = "held"  # a moderator has to look at it first
    QUEUED = "queued"
    RUNNING = "running"
    RENDERED = "rendered"  # pictures judged and on disk, not yet posted
    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # held, and no moderator came
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked, and where the answer goes. A terminal job has no ids and user_id 0.

    token: Discord's interaction token, good for 15 minutes and blanked after that.
    bot_in_channel: False where the bot is no member, so that only the token can reach the reply.
    parent_channel_id: of a thread. role_ids, joined_at: known only while the member asks.
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

    @property
    def is_terminal(self) -> bool:
        """Whether it was asked for on the command line."""
        return self.interaction_id is None


@dataclass(frozen=True, slots=True)
class StartPicture:
    """What drawing starts from: a panel of a job, or its upload (panel 0), its own for job_id 0.

    strength: (0, 1], the share of the steps that are run on it; 1 leaves nothing of it.
    num_doublings: how often it was enlarged before this pass, which the prompt has no part in then.
    """

    job_id: int
    panel: int
    strength: float
    num_doublings: int = 0

    @property
    def is_enlarged(self) -> bool:
        """Whether this is a second pass over an enlarged picture."""
        return self.num_doublings > 0


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What a start picture comes from: the prompts and negative prompts of the jobs behind it.

    is_sent: a person sent the picture that all began with. is_unknown: not all is told here, as
    words were deleted, a job is not on record, or there is too much of it.
    """

    texts: tuple[tuple[str, str], ...] = ()
    is_sent: bool = False
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a member handed to Discord, not fetched yet."""

    url: str
    num_bytes: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person typed, unchecked. None means: the model's default, or a random seed.

    upload: to be fetched and judged, if it starts from one. press: what was pressed, so that two
    presses at once are one job; "" for what was typed.
    """

    prompt: str
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    seed: int | None = None
    preset: str | None = None
    start: StartPicture | None = None
    upload: Upload | None = None
    num_images: int = 3
    press: str = ""


@dataclass(frozen=True, slots=True)
class Style:
    """Text put around a prompt, and values for what the member leaves open.

    is_removed: the server does not offer the style of this name that comes with Triptych.
    """

    name: str
    before: str = ""
    after: str = ""
    negative_prompt: str = ""
    sampler: str | None = None
    num_inference_steps: int | None = None
    is_removed: bool = False


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
    start: StartPicture | None = None

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
    rule, rules_version: what decided about the prompt, and the server's rules at that moment.
    held_for: why a moderator has to look at it, "" once one has approved it (approved_by). weight:
    of its member's share of the line. hidden: reported, and nobody may see its pictures.
    deleted_at, deleted_by: when its pictures were taken away, and by whom (0: by retention).
    told: False where it ended without pictures and its message may not say so yet.
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
    rule: str = ""
    rules_version: int = 0
    held_for: str = ""
    weight: float = 1.0
    deleted_at: float | None = None
    deleted_by: int | None = None
    approved_by: int | None = None
    hidden: bool = False
    told: bool = True


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
    """outcome, and unless it is ALLOW the sentence a member may read.

    rule, form: the rule that decided, and how the text had to be read for it to be found.
    rules_version: of the server's rules, 0 where it has none of its own.
    """

    outcome: Outcome
    reason: str = ""
    rule: str = ""
    form: str = ""
    rules_version: int = 0

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
    num_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of the quotas is used. costs in default requests within the last hour."""

    member_waiting: int
    guild_waiting: int
    total_waiting: int
    member_cost: float


@dataclass(frozen=True, slots=True)
class RoleQuota:
    """What the members of a role may have; None leaves it as it is for everybody.

    weight: of their share of the line. A member with several roles gets the best of each.
    """

    role_id: int
    max_cost_per_day: float | None = None
    max_waiting: int | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class GuildSettings:
    """What a server has set; the defaults are safe for one that never opened the settings.

    moderator_role_ids: who may decide besides those with Manage Messages. allowed_*: empty means
    everybody, everywhere. picture_action: of flagged ones. nsfw_threshold: None is the instance's.
    review_newcomer_days: newer members' prompts are held. min_member_days: they may not prompt.
    """

    review_channel_id: int | None = None
    mod_log_channel_id: int | None = None
    moderator_role_ids: tuple[int, ...] = ()
    allowed_role_ids: tuple[int, ...] = ()
    allowed_channel_ids: tuple[int, ...] = ()
    min_member_days: int = 0
    review_everything: bool = False
    review_newcomer_days: int = 0
    review_hours: int = 24
    picture_action: Outcome = Outcome.REFUSE
    nsfw_threshold: float | None = None
    reports_to_hide: int = 3
    strikes_to_suspend: int = 3
    strike_days: int = 30
    suspension_days: int = 7
    retention_days: int = 90
    is_paused: bool = False
    role_quotas: tuple[RoleQuota, ...] = ()


class AuditAction(StrEnum):
    """What a row of the audit log says was done."""

    PROMPT_REFUSED = "prompt_refused"
    PROMPT_HELD = "prompt_held"
    PROMPT_COVERED = "prompt_covered"
    UPLOAD_REFUSED = "upload_refused"
    PICTURES_HIDDEN = "pictures_hidden"
    PICTURES_HELD = "pictures_held"
    PICTURES_COVERED = "pictures_covered"
    PICTURES_DELETED = "pictures_deleted"
    APPROVED = "approved"
    APPROVED_COVERED = "approved_covered"
    REFUSED = "refused"
    EXPIRED = "expired"
    REPORTED = "reported"
    REPORT_DECIDED = "report_decided"
    STRUCK = "struck"
    STRIKE_REMOVED = "strike_removed"
    SUSPENDED = "suspended"
    SUSPENSION_LIFTED = "suspension_lifted"
    APPEALED = "appealed"
    APPEAL_DECIDED = "appeal_decided"
    RULE_ADDED = "rule_added"
    RULE_REMOVED = "rule_removed"
    RULES_SWITCHED_OFF = "rules_switched_off"
    RULES_NOTED = "rules_noted"
    STYLE_SAVED = "style_saved"
    STYLE_REMOVED = "style_removed"
    SETTING_CHANGED = "setting_changed"
    PAUSED = "paused"
    RESUMED = "resumed"
    DATA_EXPORTED = "data_exported"
    DATA_DELETED = "data_deleted"
    RETENTION_ENDED = "retention_ended"
    AUDIT_EXPORTED = "audit_exported"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One row of the audit log. actor_id: 0 is Triptych itself. prompt: "" once it was blanked.

    entry_id is 0 until it is on record.
    """

    action: AuditAction
    at: float
    guild_id: int | None = None
    actor_id: int = 0
    member_id: int | None = None
    job_id: int | None = None
    rule: str = ""
    rules_version: int = 0
    prompt: str = ""
    prompt_hash: str = ""
    reason: str = ""
    old_value: str = ""
    new_value: str = ""
    entry_id: int = 0
