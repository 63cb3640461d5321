"""Finds the chain of jobs that led to a picture."""

from __future__ import annotations

from itertools import accumulate, pairwise

from bot.domain.jobs import Ancestry
from bot.domain.recipes import StartPicture
from bot.store.database import Database

MAX_GENERATIONS = 100  # this also ends a loop, which only a damaged database can contain
# When a button is pressed, the rules judge all these texts again.
# For this many characters, that takes a quarter of a second at most.
MAX_CHARACTERS = 12_000
_BEHIND = """
    WITH RECURSIVE behind (job_id, panel, edited, generation) AS (
        VALUES (:job_id, :panel, :edited, 1)
        UNION ALL
        SELECT json_extract(recipe, '$.start.job_id'), json_extract(recipe, '$.start.panel'),
            json_extract(recipe, '$.start.edited'), generation + 1
        FROM behind JOIN job USING (job_id)
        WHERE json_extract(recipe, '$.start') IS NOT NULL AND generation <= :most
    )
    SELECT panel, edited, json_extract(recipe, '$.prompt') AS prompt,
        json_extract(recipe, '$.negative_prompt') AS negative_prompt,
        json_extract(recipe, '$.model') AS model FROM behind
    LEFT JOIN job ON job.job_id = behind.job_id
    ORDER BY generation
"""


class AncestryRepository:
    """Follows start pictures back to the first job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fetch(self, start: StartPicture | None) -> Ancestry:
        """Collect the texts of the jobs behind a picture, back to the first job.

        The first job has no start picture, or one that a person sent.
        """
        if start is None:
            return Ancestry()
        names = {
            "job_id": start.job_id,
            "panel": start.panel,
            "edited": start.edited,
            "most": MAX_GENERATIONS,
        }
        rows = await self._database.fetch_all(_BEHIND, names)
        drawn = [(row["prompt"], row["negative_prompt"]) for row in rows if row["panel"]]
        texts = [text for text in dict.fromkeys(drawn) if text[0]]
        sizes = accumulate(len(prompt) + len(negative) for prompt, negative in texts)
        kept = [text for text, size in zip(texts, sizes, strict=True) if size <= MAX_CHARACTERS]
        are_known = all(prompt for prompt, _ in drawn) and len(rows) <= MAX_GENERATIONS
        is_unknown = not are_known or len(kept) < len(texts)
        starts = pairwise(rows)  # each job with the picture that it starts from
        instructions = {job["prompt"] for job, start in starts if start["edited"]}
        models = frozenset(row["model"] for row in rows if row["panel"] and row["model"])
        return Ancestry(
            tuple(kept),
            is_sent=len(drawn) < len(rows),
            is_unknown=is_unknown,
            is_edited=any(row["edited"] for row in rows),
            instructions=frozenset(filter(None, instructions)),
            models=models,
        )
