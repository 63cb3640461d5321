"""The totals of `triptych usage`."""

from __future__ import annotations

from pathlib import Path

from bot.domain.jobs import JobStatus, Origin
from bot.domain.recipes import Recipe
from bot.store import Database, JobRepository, MetaRepository, read_usage
from bot.texts.codes import Code
from bot.texts.reasons import because

RECIPE = Recipe("dog", "", (1, 2, 3))
DAY = 86_400.0
MIDNIGHT = 20_000 * DAY


async def deliver(jobs: JobRepository, origin: Origin, at: float) -> None:
    job = await jobs.insert_job(origin, RECIPE, now=at, cost_estimate=1.0)
    assert job is not None
    await jobs.mark_answered(job.job_id, message_id=None, now=at)
    await jobs.mark_running(job, now=at + 10)
    await jobs.mark_rendered(job.job_id, (), cost=1.0, gpu_seconds=2.5, cut_words="", now=at + 14)
    await jobs.mark_delivered(job.job_id, message_id=None, now=at + 15)


async def test_totals_are_kept_apart_by_day_guild_and_member(tmp_path: Path, jobs: JobRepository):
    await deliver(jobs, Origin(1, guild_id=5), MIDNIGHT - 1)
    await deliver(jobs, Origin(1, guild_id=5), MIDNIGHT)
    await deliver(jobs, Origin(1, guild_id=5), MIDNIGHT + DAY - 1)
    await jobs.insert_job(
        Origin(1, guild_id=5),
        RECIPE,
        now=MIDNIGHT + 1,
        cost_estimate=1.0,
        refusal=because(Code.PROMPT_EMPTY),
    )
    await deliver(jobs, Origin(1), MIDNIGHT)
    await deliver(jobs, Origin(2, guild_id=5), MIDNIGHT)
    rows = read_usage(tmp_path, MIDNIGHT - DAY)
    assert [(row.day, row.guild_id, row.user_id) for row in rows] == [
        ("2024-10-03", 5, 1),
        ("2024-10-04", None, 1),
        ("2024-10-04", 5, 1),
        ("2024-10-04", 5, 2),
    ]
    busy = rows[2]
    assert (busy.jobs, busy.delivered, busy.pictures, busy.gpu_seconds) == (3, 2, 6, 5.0)
    assert (busy.mean_wait_seconds, busy.mean_draw_seconds) == (10.0, 4.0)


async def test_what_is_older_than_asked_for_is_left_out(tmp_path: Path, jobs: JobRepository):
    await deliver(jobs, Origin(1), MIDNIGHT)
    assert read_usage(tmp_path, MIDNIGHT) == []


async def test_member_who_was_only_refused_has_no_pictures(tmp_path: Path, jobs: JobRepository):
    await jobs.insert_job(
        Origin(1), RECIPE, now=MIDNIGHT, cost_estimate=0.0, refusal=because(Code.PROMPT_EMPTY)
    )
    [row] = read_usage(tmp_path, 0)
    assert (row.jobs, row.delivered, row.pictures, row.gpu_seconds) == (1, 0, 0, 0.0)
    assert (row.mean_wait_seconds, row.mean_draw_seconds) == (None, None)


async def test_remembered_value_is_the_last_one(database: Database):
    meta = MetaRepository(database)
    assert await meta.fetch("hash") is None
    await meta.put("hash", "a")
    await meta.put("hash", "b")
    assert await meta.fetch("hash") == "b"


async def test_delivered_job_is_open_no_more(jobs: JobRepository):
    await deliver(jobs, Origin(1), MIDNIGHT)
    assert await jobs.list_by_status(JobStatus.RUNNING, JobStatus.RENDERED) == []
