"""The rows of the audit log: what was done, by whom, to what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.jobs import Job, Source
from bot.domain.rules import SUSPENDED, Outcome, Verdict
from bot.texts.reasons import Reason


class AuditAction(StrEnum):
    """The actions that the audit log records."""

    PROMPT_REFUSED = "prompt_refused"
    PROMPTS_NOT_READ = "prompts_not_read"
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
    ROUND_STARTED = "round_started"
    ROUND_CLOSED = "round_closed"
    ROUND_CANCELLED = "round_cancelled"
    THEME_REFUSED = "theme_refused"
    PHRASE_REFUSED = "phrase_refused"
    PHRASE_HELD = "phrase_held"
    PHRASE_APPROVED = "phrase_approved"
    PHRASE_STRUCK = "phrase_struck"
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
    """One row of the audit log. actor_id: 0 is Triptych itself. prompt: "" after it was erased.

    entry_id: 0 until the row is stored.
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
    reason: Reason | None = None
    old_value: str = ""
    new_value: str = ""
    entry_id: int = 0

    def seal(self) -> AuditEntry:
        """Return the row of a sealed job without people's words. The prompt's hash stays."""
        words = None if self.action is AuditAction.REPORTED else self.reason
        return replace(self, prompt="", reason=words)


_ACTIONS = {
    Outcome.REFUSE: AuditAction.PROMPT_REFUSED,
    Outcome.HOLD: AuditAction.PROMPT_HELD,
    Outcome.SPOILER: AuditAction.PROMPT_COVERED,
}


def compose_audit_entry(job: Job, verdict: Verdict) -> AuditEntry | None:
    """Make the row for a decision about a prompt; None if the prompt simply passed."""
    action = _ACTIONS.get(verdict.outcome)
    if action is None:
        return None
    return AuditEntry(
        action,
        job.accepted_at,
        guild_id=job.origin.guild_id,
        member_id=member_of(job),
        job_id=job.job_id,
        rule=verdict.rule,
        rules_version=verdict.rules_version,
        # a suspended member's prompt was not judged
        prompt=text_of(job) if verdict.rule != SUSPENDED else "",
        reason=verdict.reason,
    )


def member_of(job: Job) -> int | None:
    """Return whom a decision about a job concerns; None for the job of a round."""
    return None if job.origin.source is Source.ROUND else job.origin.user_id


def text_of(job: Job) -> str:
    """Return the prompt and the negative prompt of a job as one text.

    It is "" for a round: several people wrote its prompt, and each may delete only their own words.
    """
    if job.origin.source is Source.ROUND:
        return ""
    return "\n".join(filter(None, (job.recipe.prompt, job.recipe.negative_prompt)))


def compose_entry(
    action: AuditAction, job: Job, now: float, *, actor_id: int = 0, reason: Reason | None = None
) -> AuditEntry:
    """Make the row for a decision about a job."""
    return AuditEntry(
        action,
        now,
        guild_id=job.origin.guild_id,
        actor_id=actor_id,
        member_id=member_of(job),
        job_id=job.job_id,
        rule=job.rule,
        rules_version=job.rules_version,
        prompt=text_of(job),
        reason=reason or job.reason,
    )
