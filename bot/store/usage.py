"""Sums up the job table for `triptych usage`, which may read it while the bot runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.errors import StoreError
from bot.store.files import FILE_NAME

_TOTALS = """
    SELECT
        date(accepted_at, 'unixepoch') AS day, guild_id, user_id,
        sum(jobs) AS jobs,
        coalesce(sum(status = 'delivered'), 0) AS delivered,
        3 * count(rendered_at) AS pictures,
        coalesce(sum(gpu_seconds), 0.0) AS gpu_seconds,
        avg(started_at - accepted_at) AS mean_wait_seconds,
        avg(rendered_at - started_at) AS mean_draw_seconds
    FROM (
        SELECT accepted_at, guild_id, user_id, 1 AS jobs, status, started_at, rendered_at,
            iif(source = 'round', NULL, gpu_seconds) AS gpu_seconds
        FROM job WHERE accepted_at > :since
        UNION ALL
        SELECT accepted_at, guild_id, job_share.user_id, 0, NULL, NULL, NULL, gpu_seconds * share
        FROM job_share JOIN job USING (job_id) WHERE accepted_at > :since
    )
    GROUP BY day, guild_id, user_id ORDER BY day, guild_id, user_id
"""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The totals of one guild, member and UTC day.

    The seconds of a round's job count for its authors, in equal shares. The job and its pictures
    count once, for user 0.
    """

    day: str
    guild_id: int | None
    user_id: int
    jobs: int
    delivered: int
    pictures: int
    gpu_seconds: float
    mean_wait_seconds: float | None
    mean_draw_seconds: float | None


def read_usage(data_dir: Path, since: float) -> list[UsageRow]:
    """Sum up jobs accepted after ``since`` by UTC day, guild and member. Raises StoreError.

    It only reads, so it needs no lock and no running bot.
    """
    path = data_dir / FILE_NAME
    if not data_dir.exists():
        return []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [UsageRow(**row) for row in database.execute(_TOTALS, {"since": since})]
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read ({error}); try `triptych doctor`.") from error
