"""Totals over the job table, for owners and for `python -m bot usage`."""

from __future__ import annotations

from bot.records import UsageRow
from bot.store.database import Database


class UsageRepository:
    """Reads the record; never writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_usage(self, since: float) -> list[UsageRow]:
        """Totals per UTC day, guild and member of jobs accepted after ``since``."""
        rows = await self._database.fetch_all(
            """
            SELECT
                date(accepted_at, 'unixepoch') AS day, guild_id, user_id,
                count(*) AS jobs,
                sum(status = 'delivered') AS delivered,
                3 * count(rendered_at) AS pictures,
                coalesce(sum(gpu_seconds), 0.0) AS gpu_seconds,
                avg(started_at - accepted_at) AS mean_wait_seconds,
                avg(rendered_at - started_at) AS mean_draw_seconds
            FROM job WHERE accepted_at > ?
            GROUP BY day, guild_id, user_id ORDER BY day, guild_id, user_id
            """,
            (since,),
        )
        return [UsageRow(**row) for row in rows]
