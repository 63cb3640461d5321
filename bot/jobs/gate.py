"""What the rules say to a prompt, for whoever asks and wherever they ask."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.moderation import PromptPolicy
from bot.records import AuditAction, AuditEntry, GuildSettings, Job, Origin, Outcome, Verdict
from bot.store import SettingsRepository

_ACTIONS = {
    Outcome.REFUSE: AuditAction.PROMPT_REFUSED,
    Outcome.HOLD: AuditAction.PROMPT_HELD,
    Outcome.SPOILER: AuditAction.PROMPT_COVERED,
}


class Gate:
    """The instance's rules for everybody. Held is refused where no moderator could look at it."""

    def __init__(self, policy: PromptPolicy, settings: SettingsRepository) -> None:
        self._policy = policy
        self._settings = settings

    async def judge(self, origin: Origin, prompt: str, negative_prompt: str) -> Verdict:
        """The outcome here, with the sentence a member may read."""
        settings = await self.fetch_settings(origin)
        verdict = await asyncio.to_thread(self._policy.judge, prompt, negative_prompt)
        if verdict.outcome is Outcome.HOLD and not has_review(origin, settings):
            return replace(verdict, outcome=Outcome.REFUSE)
        return verdict

    async def fetch_settings(self, origin: Origin) -> GuildSettings:
        """What is set where this was asked."""
        return await self._settings.fetch(
            origin.guild_id, origin.channel_id, origin.parent_channel_id
        )


def has_review(origin: Origin, settings: GuildSettings) -> bool:
    """Whether a held prompt can reach a moderator, and its member the outcome."""
    return False  # there is no review yet


def compose_audit_entry(job: Job, verdict: Verdict) -> AuditEntry | None:
    """The record of what was decided about a prompt; None for what simply passed."""
    action = _ACTIONS.get(verdict.outcome)
    if action is None:
        return None
    return AuditEntry(
        action,
        job.accepted_at,
        guild_id=job.origin.guild_id,
        member_id=job.origin.user_id,
        job_id=job.job_id,
        rule=verdict.rule,
        rules_version=verdict.rules_version,
        prompt="\n".join(filter(None, (job.recipe.prompt, job.recipe.negative_prompt))),
        reason=verdict.reason,
    )
