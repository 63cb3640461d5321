"""What is behind a picture: the jobs that it was drawn from, one after the other."""

from __future__ import annotations

from bot.records import Ancestry, StartPicture
from bot.store.database import Database

MAX_GENERATIONS = 32
_BEHIND = """
    WITH RECURSIVE behind (job_id, panel, generation) AS (
        VALUES (:job_id, :panel, 1)
        UNION ALL
        SELECT start_job_id, start_panel, generation + 1 FROM behind JOIN job USING (job_id)
        WHERE panel > 0 AND strength IS NOT NULL AND generation <= :most
    )
    SELECT prompt, negative_prompt FROM behind
    LEFT JOIN job ON job.job_id = behind.job_id AND panel > 0
    ORDER BY generation
"""


class AncestryRepository:
    """Follows start pictures back to where they come from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fetch(self, start: StartPicture | None) -> Ancestry:
        """Words that are gone, a lost row or too many generations count as a picture sent."""
        if start is None:
            return Ancestry()
        names = {"job_id": start.job_id, "panel": start.panel, "most": MAX_GENERATIONS}
        rows = await self._database.fetch_all(_BEHIND, names)
        texts = [
            (row["prompt"], row["negative_prompt"]) for row in rows[:MAX_GENERATIONS] if row[0]
        ]
        return Ancestry(tuple(texts), is_sent=len(texts) < len(rows))
