"""Saves who pays for the jobs of rounds, and reads jobs together with these shares."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.jobs import Job, Share, Source
from bot.store.database import Database, Row
from bot.store.rows import parse_job


class ShareRepository:
    """The job_share table. Only the jobs of rounds have rows in it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def share_out(self, job_id: int, shares: Sequence[Share]) -> None:
        """Save who pays for the job of a round."""
        await self._database.execute_many(
            "INSERT INTO job_share (job_id, user_id, share, weight) VALUES (?, ?, ?, ?)",
            [(job_id, each.user_id, each.share, each.weight) for each in shares],
        )

    async def read(self, row: Row | None) -> Job | None:
        """Make a job from its row. None if there is no row."""
        return None if row is None else (await self.read_all([row]))[0]

    async def read_all(self, rows: Sequence[Row]) -> list[Job]:
        """Make jobs from their rows. Only the jobs of rounds need another query."""
        return [parse_job(row, await self._list_of(row)) for row in rows]

    async def _list_of(self, row: Row) -> tuple[Share, ...]:
        if row["source"] != Source.ROUND:
            return ()
        shares = await self._database.fetch_all(
            "SELECT user_id, share, weight FROM job_share WHERE job_id = ? ORDER BY share_id",
            (row["job_id"],),
        )
        return tuple(Share(each["user_id"], each["share"], each["weight"]) for each in shares)
