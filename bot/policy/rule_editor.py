"""Changes a server's rules. New rules are tried out before they are saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.domain.jobs import Job
from bot.domain.rules import GuildRule, Outcome, Rule
from bot.moderation import RuleBook, judge_by
from bot.ops.locks import KeyedLocks
from bot.policy.reading import ReadingRoom
from bot.policy.rule_scale import RuleScale
from bot.store import JobRepository, RuleRepository

MAX_PREVIEWED = 500


@dataclass(frozen=True, slots=True)
class Preview:
    """A rule tried on past prompts: how many were tried, and the jobs that it matched.

    sealed: the numbers of the matched jobs whose words nobody may read.
    """

    num_prompts: int
    met: tuple[Job, ...]
    sealed: frozenset[int] = frozenset()


class RuleEditor:
    """Adds, removes and previews a server's rules for its moderators."""

    def __init__(
        self,
        rules: RuleRepository,
        jobs: JobRepository,
        scale: RuleScale,
        room: ReadingRoom,
        now: Callable[[], float],
    ) -> None:
        self._rules = rules
        self._jobs = jobs
        self._scale = scale
        self._room = room
        self._now = now
        self._turns = KeyedLocks[int]()

    async def adopt(self, guild_id: int, rules: Sequence[Rule], actor_id: int) -> list[GuildRule]:
        """Add the new rules and return them. If it raises UserError, it has added none."""
        async with self._turns[guild_id]:  # so that two calls cannot both use the same free budget
            in_force = await self._rules.list_rules(guild_id)
            beyond = await self._scale.list_beyond(guild_id)
            known = {each.rule for each in in_force}
            present = [each.rule for each in in_force if each.rule_id not in beyond]
            fresh = [rule for rule in dict.fromkeys(rules) if rule not in known]
            await self._scale.require_room(guild_id, fresh, present)
            return await self._rules.add(guild_id, rules, actor_id=actor_id, now=self._now())

    async def remove(self, guild_id: int, rule_id: int, actor_id: int) -> GuildRule | None:
        """Remove a rule; None if it is not one of this server's rules."""
        return await self._rules.remove(guild_id, rule_id, actor_id=actor_id, now=self._now())

    async def preview(
        self, guild_id: int, rule: Rule, is_sealed: Callable[[Job], Awaitable[bool]]
    ) -> Preview:
        """Try a rule on the last prompts of this server. Raises UserError."""
        await self._scale.require_room(guild_id, [rule])
        async with self._room.trials[guild_id]:
            book = await self._room.run(guild_id, RuleBook, [rule])
            jobs = await self._jobs.list_recent(guild_id, MAX_PREVIEWED)
            met = [job for job in jobs if await self._is_met(guild_id, book, job)]
            sealed = [job.job_id for job in met if await is_sealed(job)]
        return Preview(len(jobs), tuple(met), frozenset(sealed))

    async def _is_met(self, guild_id: int, book: RuleBook, job: Job) -> bool:
        """Return whether the rule matches a job.

        One call is about one job, so that new prompts can be judged between two calls.
        """
        texts = (job.recipe.prompt, job.recipe.negative_prompt)
        verdict = await self._room.run(guild_id, judge_by, book, *texts)
        return verdict.outcome is not Outcome.ALLOW
