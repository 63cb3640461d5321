"""Changes of a server's rules: tried first, then saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.errors import ConfigError, UserError
from bot.moderation import RuleBook, judge_by
from bot.records import GuildRule, Job, Outcome, Rule
from bot.store import JobRepository, RuleRepository

MAX_PREVIEWED = 500


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would have done: how many prompts were looked at, and those it would meet."""

    num_prompts: int
    met: tuple[Job, ...]


class Rulemaking:
    """A server's rules as its moderators work on them."""

    def __init__(
        self, rules: RuleRepository, jobs: JobRepository, now: Callable[[], float]
    ) -> None:
        self._rules = rules
        self._jobs = jobs
        self._now = now

    async def adopt(self, guild_id: int, rules: Sequence[Rule], actor_id: int) -> list[GuildRule]:
        """Save those that are not in force yet; these. Raises UserError, and then saves none."""
        present = [each.rule for each in await self._rules.list_rules(guild_id)]
        await compile_rules([*present, *rules])
        return await self._rules.add(guild_id, rules, actor_id=actor_id, now=self._now())

    async def remove(self, guild_id: int, rule_id: int, actor_id: int) -> GuildRule | None:
        """None if it is none of this server's rules."""
        return await self._rules.remove(guild_id, rule_id, actor_id=actor_id, now=self._now())

    async def preview(self, guild_id: int, rule: Rule) -> Preview:
        """What it would have done to the last prompts of this server. Raises UserError."""
        book = await compile_rules([rule])
        jobs = await self._jobs.list_recent(guild_id, MAX_PREVIEWED)
        return Preview(len(jobs), await asyncio.to_thread(_list_met, book, jobs))


async def compile_rules(rules: Sequence[Rule]) -> RuleBook:
    """Raises UserError with the reason for a rule that cannot be used."""
    try:
        return await asyncio.to_thread(RuleBook, rules)
    except ConfigError as error:
        raise UserError(f"This rule cannot be used: {error}. Nothing was changed.") from None


def _list_met(book: RuleBook, jobs: Sequence[Job]) -> tuple[Job, ...]:
    return tuple(
        job
        for job in jobs
        if judge_by(book, job.recipe.prompt, job.recipe.negative_prompt).outcome
        is not Outcome.ALLOW
    )
