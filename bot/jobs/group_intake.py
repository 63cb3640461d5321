"""Accepts the jobs of group rounds: finds their cost and who can pay it, and inserts their rows.

``Intake`` accepts the prompts of single members. The job of a round has no member and no
interaction. Its authors pay for it in equal shares, and the message of the round shows it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Job, JobStatus, Origin, Share
from bot.domain.recipes import Ask, Recipe
from bot.domain.rules import Outcome, Verdict
from bot.engine import ModelInfo
from bot.errors import UserError
from bot.jobs.intake import Destinations
from bot.jobs.model_choice import choose_model
from bot.jobs.start_images import StartPictures
from bot.ops.logs import of_job
from bot.policy.admission import DAY_SECONDS
from bot.policy.quotas import Quotas
from bot.recipes.derive import fit_shape
from bot.recipes.resolve import compose_recipe
from bot.recipes.validate import ParameterLimits, check_ask
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

log = logging.getLogger(__name__)

_STARTS_COVERED = because(Code.STARTS_COVERED)


@dataclass(frozen=True, slots=True)
class Payer:
    """A member who would pay a share. max_cost_per_day: from their roles; None for no limit."""

    user_id: int
    weight: float = 1.0
    max_cost_per_day: float | None = None


class GroupIntake:
    """Accepts the jobs of rounds. Only this class and ``Intake`` insert jobs."""

    def __init__(
        self,
        store: Repositories,
        destinations: Destinations,
        starts: StartPictures,
        *,
        limits: ParameterLimits,
        quotas: Quotas,
        now: Callable[[], float],
        random_seed: Callable[[], int],
    ) -> None:
        self._jobs = store.jobs
        self._standing = store.standing
        self._waitlist = destinations.waitlist
        self._lane = destinations.lane
        self._starts = starts
        self._limits = limits
        self._quotas = quotas
        self._now = now
        self._random_seed = random_seed

    def choose_model(self, origin: Origin, settings: GuildSettings) -> str | None:
        """Return the id of the model for a new round; None for the bot's. Raises UserError.

        It is the server's default if everybody in the server may use that, because all members may
        add phrases.
        """
        everybody = replace(origin, role_ids=())
        ask, refusal = choose_model(self._waitlist.models, Ask(""), everybody, settings)
        if refusal is not None:
            raise UserError(refusal)
        return ask.model

    def keep_model(self, model: str | None, guild_id: int) -> str | None:
        """Return the id of the model that draws a round. model: the one it was started with.

        If that model is gone, has failed or is no longer for everybody in the server, another one
        takes its place, so that no phrases are lost.
        """
        models = self._waitlist.models
        usable = {each.id for each in models.list_for(guild_id) if not each.is_out}
        if model is None or not models.list_all() or model in usable:
            return model
        try:
            return models.choose_default(None, guild_id)[0].id
        except UserError:
            return model

    def find_info(self, model: str | None) -> ModelInfo | None:
        """Return what a model can do, or the default one if it is gone; None until it is loaded."""
        try:
            return self._waitlist.find_info(model)
        except UserError:
            return self._waitlist.info

    @property
    def max_prompt_length(self) -> int:
        """Return how many characters a prompt may have."""
        return self._limits.max_prompt_length

    def price(self, ask: Ask) -> tuple[Recipe, float]:
        """Return the complete recipe and its cost. Raises UserError if it cannot be drawn."""
        check_ask(ask, self._limits)
        return self._waitlist.price(compose_recipe(ask, self._random_seed()))

    def fit(self, ask: Ask) -> Ask:
        """Return the ask with the nearest size that its model draws, if it cannot draw this one.

        The model may have changed since the size was chosen, and no phrases must be lost.
        """
        info = self.find_info(ask.model)
        try:
            self.price(ask)
        except UserError:
            return ask if info is None else fit_shape(ask, info)
        return ask

    async def find_hindrance(self, origin: Origin) -> Reason | None:
        """Return why the queue has no room for a job of this server now, or None."""
        standing = await self._standing.fetch(origin, self._now())
        if standing.guild_waiting >= self._quotas.max_waiting_per_guild:
            return because(Code.SERVER_WAITS, count=standing.guild_waiting)
        if standing.total_waiting >= self._quotas.max_waiting:
            return because(Code.QUEUE_FULL, count=standing.total_waiting)
        return None

    async def list_able(self, payers: Sequence[Payer], origin: Origin, cost: float) -> list[Payer]:
        """Return who can pay an equal share. If some cannot, the shares of the others grow."""
        able = list(payers)
        while able:
            each_cost = cost / len(able)
            left = [each for each in able if await self._can_pay(each, origin, each_cost)]
            if len(left) == len(able):
                break
            able = left
        return able

    async def _can_pay(self, payer: Payer, origin: Origin, cost: float) -> bool:
        whose, now = replace(origin, user_id=payer.user_id), self._now()
        standing = await self._standing.fetch(whose, now)
        if standing.member_cost + cost > self._quotas.max_cost_per_member_per_hour:
            return False
        if payer.max_cost_per_day is None:
            return True
        used = await self._standing.fetch_cost_since(whose, now - DAY_SECONDS)
        return used + cost <= payer.max_cost_per_day

    async def cover(self, recipe: Recipe, verdict: Verdict) -> Verdict:
        """Return the verdict, which covers the new pictures if the start picture is covered.

        Raises UserError if the start picture is gone.
        """
        if recipe.start is None:
            return verdict
        source = await self._starts.fetch_source(recipe)
        if source is None:
            raise UserError(because(Code.START_GONE))
        if source.spoiler and verdict.outcome is Outcome.ALLOW:
            return replace(verdict, outcome=Outcome.SPOILER, reason=_STARTS_COVERED)
        return verdict

    async def insert(
        self,
        recipe: Recipe,
        cost: float,
        origin: Origin,
        payers: Sequence[Payer],
        verdict: Verdict,
        message_id: int | None,
    ) -> Job:
        """Insert a job that waits in the queue, or for a moderator, in the caller's transaction."""
        job = await self._jobs.insert_job(
            origin, recipe, now=self._now(), cost_estimate=cost, verdict=verdict
        )
        assert job is not None  # it has no interaction and no press that could be there twice
        share = 1.0 / len(payers)
        shares = [Share(each.user_id, share, each.weight) for each in payers]
        await self._jobs.share_out(job.job_id, shares)
        answered = await self._jobs.mark_answered(
            job.job_id, message_id=message_id, now=self._now()
        )
        assert answered is not None
        return answered

    async def drop_rendered(self, job_id: int, reason: Reason) -> Job | None:
        """End a job that is drawn but not posted yet. It costs nothing."""
        ended = await self._jobs.mark_ended(
            job_id,
            JobStatus.CANCELLED,
            reason=reason,
            now=self._now(),
            leaving=[JobStatus.RENDERED],
            end_notified=True,
        )
        if ended is not None:
            self._waitlist.charge(ended)
        return ended

    async def pass_on(self, job: Job) -> None:
        """Hand a committed job to the queue or to the moderators."""
        of_job(log, job.job_id).info("a round's job is %s", job.status)
        if job.status is JobStatus.HELD:
            await self._lane.hold(job)
        else:
            self._waitlist.enqueue(job)
