"""What the rules say to a prompt, for whoever asks and wherever they ask."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace

from bot.errors import TriptychError
from bot.moderation import NO_RULES, Explanation, PromptPolicy, RuleBook
from bot.records import AuditAction, AuditEntry, GuildSettings, Job, Origin, Outcome, Verdict
from bot.store import RuleRepository, SettingsRepository

_ACTIONS = {
    Outcome.REFUSE: AuditAction.PROMPT_REFUSED,
    Outcome.HOLD: AuditAction.PROMPT_HELD,
    Outcome.SPOILER: AuditAction.PROMPT_COVERED,
}


_MAX_BOOKS = 32  # up to 5 MB each; compiling one again takes a moment


class Gate:
    """The instance's rules for everybody, and beside them each server's own.

    The strictest wins. Held is refused where no moderator could look at it.
    """

    def __init__(
        self, policy: PromptPolicy, settings: SettingsRepository, rules: RuleRepository
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._rules = rules
        self._books: OrderedDict[int, tuple[int, asyncio.Task[RuleBook]]] = OrderedDict()

    async def judge(self, origin: Origin, prompt: str, negative_prompt: str) -> Verdict:
        """The outcome here and now, with the sentence a member may read."""
        settings = await self.fetch_settings(origin)
        version, book = await self.fetch_book(origin.guild_id)
        verdict = await asyncio.to_thread(self._policy.judge, prompt, negative_prompt, book)
        verdict = replace(verdict, rules_version=version)
        if verdict.outcome is Outcome.HOLD and not has_review(origin, settings):
            return replace(verdict, outcome=Outcome.REFUSE)
        return verdict

    async def explain(self, guild_id: int | None, prompt: str) -> Explanation:
        """Every form, every hit, and what the rules of a server say in the end."""
        version, book = await self.fetch_book(guild_id)
        explanation = await asyncio.to_thread(self._policy.explain, prompt, book)
        verdict = replace(explanation.verdict, rules_version=version)
        return replace(explanation, verdict=verdict)

    async def fetch_version(self, guild_id: int | None) -> int:
        """Of a server's rules: where it is not the one a job was judged by, judge again."""
        return await self._rules.fetch_version(guild_id)

    async def fetch_book(self, guild_id: int | None) -> tuple[int, RuleBook]:
        """A server's rules, compiled once for each version, and that version."""
        version = await self._rules.fetch_version(guild_id)
        if guild_id is None or version == 0:
            return version, NO_RULES
        kept = self._books.get(guild_id)
        if kept is None or kept[0] != version:
            kept = (version, asyncio.create_task(self._compile(guild_id)))
            self._books[guild_id] = kept
        self._books.move_to_end(guild_id)
        while len(self._books) > _MAX_BOOKS:
            self._books.popitem(last=False)
        try:
            return version, await asyncio.shield(kept[1])
        except TriptychError:
            if self._books.get(guild_id) == kept:
                del self._books[guild_id]
            raise

    async def _compile(self, guild_id: int) -> RuleBook:
        rules = [each.rule for each in await self._rules.list_rules(guild_id)]
        return await asyncio.to_thread(RuleBook, rules)

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
