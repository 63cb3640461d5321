"""Checks whether a prompt fits into the quotas of its member and server and into the queue."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain.guilds import RoleQuota
from bot.domain.jobs import Origin, Source, Standing
from bot.jobs.queue.waitlist import Waitlist
from bot.policy.admission import DAY_SECONDS
from bot.policy.quotas import Quotas
from bot.store import StandingRepository
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

TOKEN_ONLY_MAX_WAIT_SECONDS = 12 * 60


class QuotaCheck:
    """Sums the used quota from the database, so a restart changes nothing."""

    def __init__(
        self,
        quotas: Quotas,
        standing: StandingRepository,
        waitlist: Waitlist,
        now: Callable[[], float],
    ) -> None:
        self._quotas = quotas
        self._standing = standing
        self._waitlist = waitlist
        self._now = now

    async def find_refusal(self, origin: Origin, quota: RoleQuota, cost: float) -> Reason | None:
        """Return the reason why this prompt exceeds a quota, or None.

        quota: the quota from the member's roles. It is never more than the bot owner's limit.
        """
        if origin.source is Source.TERMINAL:
            return None
        quotas = self._quotas
        standing = await self._standing.fetch(origin, self._now())
        if quota.max_waiting == 0:
            return because(Code.ROLES_MAY_NOT_WAIT)
        max_waiting = quotas.max_waiting_per_member
        if quota.max_waiting is not None:
            max_waiting = min(max_waiting, quota.max_waiting)
        if standing.member_waiting >= max_waiting:
            return because(Code.MEMBER_WAITS, count=standing.member_waiting)
        if standing.guild_waiting >= quotas.max_waiting_per_guild:
            is_direct = origin.guild_id is None
            code = Code.DIRECT_MESSAGES_WAIT if is_direct else Code.SERVER_WAITS
            return because(code, count=standing.guild_waiting)
        if standing.total_waiting >= quotas.max_waiting:
            return because(Code.QUEUE_FULL, count=standing.total_waiting)
        return (
            self._find_cost_refusal(standing, cost)
            or await self._find_day_refusal(origin, quota.max_cost_per_day, cost)
            or self._find_wait_refusal(origin, cost)
        )

    async def _find_day_refusal(
        self, origin: Origin, most: float | None, cost: float
    ) -> Reason | None:
        if most is None:
            return None
        used = await self._standing.fetch_cost_since(origin, self._now() - DAY_SECONDS)
        return None if used + cost <= most else _explain_cost(Code.COST_THIS_DAY, cost, most, used)

    def _find_cost_refusal(self, standing: Standing, cost: float) -> Reason | None:
        most = self._quotas.max_cost_per_member_per_hour
        if standing.member_cost + cost <= most:
            return None
        return _explain_cost(Code.COST_THIS_HOUR, cost, most, standing.member_cost)

    def _find_wait_refusal(self, origin: Origin, cost: float) -> Reason | None:
        if origin.bot_in_channel:
            return None
        wait = self._waitlist.estimate_wait_seconds(cost)
        if wait is None or wait <= TOKEN_ONLY_MAX_WAIT_SECONDS:
            return None
        return because(Code.WAIT_TOO_LONG, minutes=wait / 60)


def _explain_cost(code: Code, cost: float, most: float, used: float) -> Reason:
    return because(code, cost=cost, left=max(most - used, 0.0), most=most)
