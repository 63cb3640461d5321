"""Adds up the used quotas from the tables of jobs and shares, so that a restart changes nothing."""

from __future__ import annotations

from bot.domain.jobs import Origin, Standing
from bot.domain.recipes import RECIPE_VERSION
from bot.store.database import Database

_HOUR_SECONDS = 3600.0


class StandingRepository:
    """Counts what members and servers have in the queue, and what they have drawn."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fetch(self, origin: Origin, now: float) -> Standing:
        """Return how much of the quotas this member and guild use at ``now``.

        Waiting jobs of a newer version of Triptych are not counted: they wait for that version.
        """
        names = {"user": origin.user_id, "guild": origin.guild_id, "since": now - _HOUR_SECONDS}
        row = await self._database.fetch_one(
            """
            SELECT
                coalesce(sum(user_id = :user AND waiting), 0) AS member_waiting,
                coalesce(sum(guild_id IS :guild AND waiting), 0) AS guild_waiting,
                coalesce(sum(waiting), 0) AS total_waiting,
                coalesce(sum(cost) FILTER (WHERE user_id = :user AND accepted_at > :since), 0.0)
                    AS member_cost
            FROM (
                SELECT user_id, guild_id, cost, accepted_at, 1 AS waiting FROM job
                WHERE status IN ('accepted', 'held', 'queued', 'running')
                    AND json_extract(recipe, '$.version') <= :version
                UNION ALL
                SELECT user_id, guild_id, cost, accepted_at, 0 FROM job
                WHERE user_id = :user AND accepted_at > :since
                    AND status NOT IN ('accepted', 'held', 'queued', 'running')
                UNION ALL
                SELECT job_share.user_id, guild_id, cost * share, accepted_at, 0
                FROM job_share JOIN job USING (job_id)
                WHERE job_share.user_id = :user AND accepted_at > :since
            )
            """,
            names | {"version": RECIPE_VERSION},
        )
        assert row is not None  # an aggregate always gives one row
        return Standing(
            row["member_waiting"], row["guild_waiting"], row["total_waiting"], row["member_cost"]
        )

    async def fetch_cost_since(self, origin: Origin, moment: float) -> float:
        """Return the cost of a member's prompts in this guild since ``moment``."""
        row = await self._database.fetch_one(
            "SELECT coalesce(sum(cost), 0.0) AS cost FROM job_use "
            "WHERE user_id = ? AND guild_id IS ? AND accepted_at > ?",
            (origin.user_id, origin.guild_id, moment),
        )
        assert row is not None  # an aggregate always gives one row
        return row["cost"]
