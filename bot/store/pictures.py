"""The index of picture files: which are needed, and which have to be deleted."""

from __future__ import annotations

from bot.store.database import Database


class PictureRepository:
    """Finds the ids of jobs whose pictures are needed, too old, or too many."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_overdue(self, *, before: float | None, max_bytes: int | None) -> list[int]:
        """List jobs whose pictures are older than ``before``, or do not fit into ``max_bytes``."""
        rows = await self._database.fetch_all(
            """
            SELECT job_id FROM (
                SELECT job_id, ended_at, status, hidden,
                    sum(num_bytes) OVER (ORDER BY job_id DESC) AS newer_bytes
                FROM job JOIN (
                    SELECT job_id AS id, sum(num_bytes) AS num_bytes FROM picture GROUP BY job_id
                ) ON id = job_id
            ) WHERE hidden = 0 AND status IN ('delivered', 'undeliverable')
                AND (ended_at < :before OR newer_bytes > :max_bytes)
            ORDER BY job_id
            """,
            {"before": before, "max_bytes": max_bytes},
        )
        return [row["job_id"] for row in rows]

    async def list_kept(self) -> set[int]:
        """List jobs whose files are needed: those in the index, and those that have not ended.

        A job that ended without pictures may still be in the index, if the bot stopped before its
        files were deleted.
        """
        rows = await self._database.fetch_all(
            "SELECT job_id FROM picture JOIN job USING (job_id) "
            "WHERE status IN ('delivered', 'undeliverable') UNION SELECT job_id FROM job "
            "WHERE status IN ('accepted', 'held', 'queued', 'running', 'rendered')"
        )
        return {row["job_id"] for row in rows}

    async def list_with_pictures(self) -> set[int]:
        """List finished jobs whose pictures are in the index."""
        rows = await self._database.fetch_all(
            "SELECT DISTINCT job_id FROM picture JOIN job USING (job_id) "
            "WHERE status IN ('delivered', 'undeliverable')"
        )
        return {row["job_id"] for row in rows}
