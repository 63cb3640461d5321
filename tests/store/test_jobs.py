"""Rows of jobs: their states, their costs, and the data that they keep."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.pictures import PanelVerdict, PictureFile
from bot.domain.recipes import Recipe, StartPicture
from bot.domain.rules import Outcome, Verdict
from bot.errors import StoreError
from bot.moderation.text import clean_prompt
from bot.store import Database, JobRepository, StandingRepository
from bot.texts.reasons import own_words

NOW = 1_800_000_000.0
LARGEST = 2**63 - 1
SETTINGS = {
    "width": 64,
    "height": 64,
    "num_inference_steps": 4,
    "guidance_scale": 3.0,
    "sampler": "ddim",
    "model": "fake model",
}
RECIPE = Recipe("dog", "", (1, 2, 3), **SETTINGS)
FILES = (
    PictureFile(0, "1/grid.png", "00"),
    PictureFile(1, "1/1.png", "11", PanelVerdict(None, True)),
    PictureFile(2, "1/2.png", "22", PanelVerdict(True, False)),
    PictureFile(3, "1/3.png", "33", PanelVerdict(False, True)),
)

BECAUSE = own_words("because")
Mark = Callable[[JobRepository, Job], Awaitable[Job | None]]


async def insert(jobs: JobRepository, user_id: int = 1, **changes: object) -> Job:
    names = {"source", "interaction_id", "token", "guild_id", "channel_id", "bot_in_channel"}
    origin = Origin(user_id, **{name: changes.pop(name) for name in names & changes.keys()})
    values = {"now": NOW, "cost_estimate": 1.0} | changes
    job = await jobs.insert_job(origin, RECIPE, **values)
    assert job is not None
    return job


async def put_into(database: Database, job: Job, status: JobStatus) -> Job:
    await database.execute("UPDATE job SET status = ? WHERE job_id = ?", (status, job.job_id))
    found = await JobRepository(database).fetch_job(job.job_id)
    assert found is not None
    return found


def end(status: JobStatus, *leaving: JobStatus) -> Mark:
    return lambda jobs, job: jobs.mark_ended(
        job.job_id, status, reason=BECAUSE, now=NOW, leaving=leaving
    )


def render(jobs: JobRepository, job: Job) -> Awaitable[Job | None]:
    return jobs.mark_rendered(
        job.job_id,
        FILES,
        cost=2.5,
        gpu_seconds=7.0,
        engine="CPU",
        cut_words="and more",
        cut_negative_words="and hats",
        now=NOW + 3,
    )


WAYS: dict[str, tuple[Mark, set[JobStatus], JobStatus]] = {
    "mark_answered": (
        lambda jobs, job: jobs.mark_answered(job.job_id, message_id=5, now=NOW),
        {JobStatus.ACCEPTED},
        JobStatus.QUEUED,
    ),
    "mark_running": (
        lambda jobs, job: jobs.mark_running(job, now=NOW),
        {JobStatus.QUEUED},
        JobStatus.RUNNING,
    ),
    "mark_requeued": (
        lambda jobs, job: jobs.mark_requeued(job, attempted=True),
        {JobStatus.RUNNING},
        JobStatus.QUEUED,
    ),
    "mark_rendered": (render, {JobStatus.RUNNING}, JobStatus.RENDERED),
    "mark_delivered": (
        lambda jobs, job: jobs.mark_delivered(job.job_id, message_id=6, now=NOW),
        {JobStatus.RENDERED},
        JobStatus.DELIVERED,
    ),
    "mark_ended": (
        end(JobStatus.CANCELLED, JobStatus.QUEUED, JobStatus.RUNNING),
        {JobStatus.QUEUED, JobStatus.RUNNING},
        JobStatus.CANCELLED,
    ),
}


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize("way", WAYS)
async def test_every_mark_leaves_only_the_states_it_names(
    database: Database, jobs: JobRepository, way: str, status: JobStatus
):
    mark, leaving, arriving = WAYS[way]
    bystander = await insert(jobs)
    job = await put_into(database, await insert(jobs), status)
    changed = await mark(jobs, job)
    found = await jobs.fetch_job(job.job_id)
    if status in leaving:
        assert changed == found
        assert changed is not None
        assert changed.status is arriving
    else:
        assert changed is None
        assert found == job
        assert await jobs.list_pictures(job.job_id) == []
    assert await jobs.fetch_job(bystander.job_id) == bystander


@pytest.mark.parametrize("way", WAYS)
async def test_job_that_does_not_exist_is_marked_by_nothing(jobs: JobRepository, way: str):
    ghost = replace(await insert(jobs), job_id=999)
    assert await WAYS[way][0](jobs, ghost) is None
    assert await jobs.list_pictures(999) == []


async def test_status_that_is_no_status_is_refused_by_the_record(database: Database):
    job = await insert(JobRepository(database))
    with pytest.raises(StoreError):
        await database.execute("UPDATE job SET status = 'lost' WHERE job_id = ?", (job.job_id,))


async def test_a_job_keeps_everything_on_its_way_to_delivery(jobs: JobRepository):
    accepted = await insert(
        jobs, user_id=7, interaction_id=8, token="secret", guild_id=9, channel_id=10
    )
    assert (accepted.status, accepted.cost, accepted.ended_at) == (JobStatus.ACCEPTED, 1.0, None)
    queued = await jobs.mark_answered(accepted.job_id, message_id=11, now=NOW + 1)
    assert queued is not None
    filled = replace(queued.recipe, num_inference_steps=8)
    running = await jobs.mark_running(replace(queued, recipe=filled, cost_estimate=2), now=NOW + 2)
    assert running is not None
    assert (running.attempt, running.cost, running.started_at) == (1, 2.0, NOW + 2)
    rendered = await render(jobs, running)
    assert rendered is not None
    delivered = await jobs.mark_delivered(accepted.job_id, message_id=12, now=NOW + 4)
    assert delivered == Job(
        job_id=accepted.job_id,
        origin=Origin(7, 8, "secret", 9, 10),
        recipe=filled,
        status=JobStatus.DELIVERED,
        cost_estimate=2.0,
        cost=2.5,
        accepted_at=NOW,
        attempt=1,
        message_id=12,
        queued_at=NOW + 1,
        started_at=NOW + 2,
        rendered_at=NOW + 3,
        ended_at=NOW + 4,
        gpu_seconds=7.0,
        engine="CPU",
        cut_words="and more",
        cut_negative_words="and hats",
    )
    assert tuple(await jobs.list_pictures(accepted.job_id)) == FILES


async def test_failed_attempt_counts_and_a_stop_does_not(jobs: JobRepository):
    job = await insert(jobs)
    await jobs.mark_answered(job.job_id, message_id=None, now=NOW)
    for attempted, attempts in ((False, 0), (True, 1), (False, 1), (True, 2)):
        queued = await jobs.fetch_job(job.job_id)
        assert queued is not None
        running = await jobs.mark_running(queued, now=NOW)
        assert running is not None
        assert (running.attempt, running.started_at) == (queued.attempt + 1, NOW)
        again = await jobs.mark_requeued(running, attempted=attempted)
        assert again is not None
        assert (again.attempt, again.started_at) == (attempts, None)


async def test_pictures_and_state_are_recorded_together(
    jobs: JobRepository, monkeypatch: pytest.MonkeyPatch
):
    job = await insert(jobs)
    await jobs.mark_answered(job.job_id, message_id=None, now=NOW)
    running = await jobs.mark_running(job, now=NOW)
    bad = (*FILES, PictureFile(7, "1/7.png", "77"))
    with pytest.raises(StoreError):
        await jobs.mark_rendered(job.job_id, bad, cost=1.0, gpu_seconds=1.0, cut_words="", now=NOW)
    assert await jobs.fetch_job(job.job_id) == running
    assert await jobs.list_pictures(job.job_id) == []


async def test_interaction_delivered_twice_is_one_row(jobs: JobRepository):
    first = await insert(jobs, interaction_id=5, token="a")
    again = await jobs.insert_job(Origin(1, 5, "b"), RECIPE, now=NOW + 1, cost_estimate=9.0)
    assert again is None
    assert await jobs.list_by_status(*JobStatus) == [first]


async def test_terminal_jobs_have_no_interaction_and_do_not_collide(jobs: JobRepository):
    first, second = [await insert(jobs, user_id=0, source=Source.TERMINAL) for _ in range(2)]
    assert first.origin.source is Source.TERMINAL
    assert first.job_id != second.job_id


async def test_job_is_held_without_a_reason_and_is_not_for_having_one(
    database: Database, jobs: JobRepository
):
    held = await insert(jobs, verdict=Verdict(Outcome.HOLD))
    answered = await jobs.mark_answered(held.job_id, message_id=5, now=NOW)
    assert answered is not None
    assert (answered.status, answered.is_held) == (JobStatus.HELD, True)
    approved = await jobs.mark_approved(held.job_id, approved_by=3, spoiler=False, now=NOW)
    assert approved is not None
    assert (approved.status, approved.is_held) == (JobStatus.QUEUED, False)
    free = await insert(jobs)
    await database.execute("UPDATE job SET held_code = 'once' WHERE job_id = ?", (free.job_id,))
    answered = await jobs.mark_answered(free.job_id, message_id=5, now=NOW)
    assert answered is not None
    assert (answered.status, answered.is_held) == (JobStatus.QUEUED, False)


async def test_approved_job_forgets_why_it_was_held(database: Database, jobs: JobRepository):
    held = await insert(jobs, verdict=Verdict(Outcome.HOLD, BECAUSE))
    assert held.held_for == BECAUSE
    await put_into(database, held, JobStatus.HELD)
    approved = await jobs.mark_approved(held.job_id, approved_by=3, spoiler=False, now=NOW)
    assert approved is not None
    assert approved.held_for is None


async def test_refused_job_is_on_record_ended_and_free_and_forgets_its_token(jobs: JobRepository):
    job = await insert(jobs, interaction_id=5, token="secret", refusal=own_words("No."))
    assert (job.status, job.reason, job.cost) == (JobStatus.REFUSED, own_words("No."), 0.0)
    assert (job.ended_at, job.origin.token) == (NOW, None)


async def test_largest_snowflakes_survive(database: Database, jobs: JobRepository):
    job = await insert(
        jobs, LARGEST, interaction_id=LARGEST - 1, guild_id=LARGEST - 2, channel_id=LARGEST - 3
    )
    queued = await jobs.mark_answered(job.job_id, message_id=LARGEST - 4, now=NOW)
    assert queued is not None
    found = await jobs.fetch_job(job.job_id)
    assert found == queued
    assert found.origin == Origin(LARGEST, LARGEST - 1, None, LARGEST - 2, LARGEST - 3)
    assert found.message_id == LARGEST - 4
    assert (await StandingRepository(database).fetch(found.origin, NOW)).member_waiting == 1


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.characters(), max_size=200))
async def test_any_cleaned_text_comes_back_as_it_was_kept(jobs: JobRepository, text: str):
    cleaned = clean_prompt(text)
    recipe = replace(RECIPE, prompt=cleaned, negative_prompt=cleaned)
    job = await jobs.insert_job(Origin(1), recipe, now=NOW, cost_estimate=1.0)
    assert job is not None
    found = await jobs.fetch_job(job.job_id)
    assert found is not None
    assert (found.recipe.prompt, found.recipe.negative_prompt) == (cleaned, cleaned)


async def test_recipe_is_one_value(database: Database, jobs: JobRepository):
    start = StartPicture(5, 2, 0.7, 1)
    recipe = replace(RECIPE, prompt='dog 犬 " \\ 🐕', start=start, guidance_until=0.6)
    job = await jobs.insert_job(Origin(1), recipe, now=NOW, cost_estimate=1.0)
    assert job is not None
    assert job.recipe == recipe
    row = await database.fetch_one("SELECT recipe FROM job")
    assert row is not None
    assert json.loads(row["recipe"]) == json.loads(json.dumps(asdict(recipe)))
    with pytest.raises(StoreError):
        await database.execute("UPDATE job SET recipe = 'no JSON'")


async def test_recipe_of_a_newer_program_is_read_as_far_as_it_is_known(
    database: Database, jobs: JobRepository
):
    job = await insert(jobs)
    await database.execute(
        "UPDATE job SET recipe = json_set(recipe, '$.version', 99, '$.tempo', 'allegro')"
    )
    found = await jobs.fetch_job(job.job_id)
    assert found is not None
    assert found.recipe == replace(RECIPE, version=99)
    assert found.recipe.is_newer


async def test_standing_counts_who_waits_where(database: Database, jobs: JobRepository):
    counted = (JobStatus.ACCEPTED, JobStatus.HELD, JobStatus.QUEUED, JobStatus.RUNNING)
    for status in JobStatus:
        await put_into(database, await insert(jobs, 1, guild_id=10), status)
    await insert(jobs, 1, guild_id=11)
    await insert(jobs, 2, guild_id=10)
    await insert(jobs, 3)
    standing = await StandingRepository(database).fetch(Origin(1, guild_id=10), NOW)
    assert standing.member_waiting == len(counted) + 1
    assert standing.guild_waiting == len(counted) + 1
    assert standing.total_waiting == len(counted) + 3
    assert (await StandingRepository(database).fetch(Origin(9), NOW)).guild_waiting == 1
    nobody = await StandingRepository(database).fetch(Origin(9, guild_id=99), NOW)
    assert (nobody.member_waiting, nobody.guild_waiting, nobody.member_cost) == (0, 0, 0.0)


async def test_hourly_cost_counts_what_waits_and_what_was_drawn_and_nothing_else(
    database: Database, jobs: JobRepository
):
    waiting = await insert(jobs, cost_estimate=1.0)
    drawn = await insert(jobs, cost_estimate=10.0)
    await put_into(database, drawn, JobStatus.RUNNING)
    await jobs.mark_rendered(drawn.job_id, (), cost=20.0, gpu_seconds=1, cut_words="", now=NOW)
    half_drawn = await put_into(database, await insert(jobs, cost_estimate=40), JobStatus.RUNNING)
    leaving = [JobStatus.RUNNING]
    await jobs.mark_ended(
        half_drawn.job_id, JobStatus.CANCELLED, reason=BECAUSE, now=NOW, leaving=leaving, cost=15.0
    )
    for status in (JobStatus.FAILED, JobStatus.REFUSED, JobStatus.CANCELLED):
        await end(status, JobStatus.ACCEPTED)(jobs, await insert(jobs, cost_estimate=100.0))
    await insert(jobs, cost_estimate=100.0, refusal=own_words("No."))
    await insert(jobs, user_id=2, cost_estimate=100.0)
    await insert(jobs, cost_estimate=100.0, now=NOW - 3600.0)
    standing = await StandingRepository(database).fetch(Origin(1), NOW)
    assert standing.member_cost == 36.0
    await end(JobStatus.CANCELLED, JobStatus.ACCEPTED)(jobs, waiting)
    assert (await StandingRepository(database).fetch(Origin(1), NOW)).member_cost == 35.0
    assert (await StandingRepository(database).fetch(Origin(1), NOW + 3600)).member_cost == 0.0


async def test_undeliverable_pictures_are_refunded(database: Database, jobs: JobRepository):
    job = await put_into(database, await insert(jobs, cost_estimate=5.0), JobStatus.RENDERED)
    ended = await end(JobStatus.UNDELIVERABLE, JobStatus.RENDERED)(jobs, job)
    assert ended is not None
    assert (ended.cost, ended.reason, ended.ended_at) == (0.0, BECAUSE, NOW)
    assert (await StandingRepository(database).fetch(Origin(1), NOW)).member_cost == 0.0


async def test_only_tokens_that_are_dead_are_forgotten(jobs: JobRepository):
    old = await insert(jobs, interaction_id=1, token="old", now=NOW - 901)
    new = await insert(jobs, interaction_id=2, token="new", now=NOW - 899)
    await jobs.forget_dead_tokens(NOW - 900)
    found = [await jobs.fetch_job(job.job_id) for job in (old, new)]
    assert [job and job.origin.token for job in found] == [None, "new"]


async def test_waiting_jobs_of_a_member_are_listed_oldest_first(
    database: Database, jobs: JobRepository
):
    own = [await insert(jobs, 1) for _ in range(3)]
    await insert(jobs, 2)
    await put_into(database, own[1], JobStatus.DELIVERED)
    assert [job.job_id for job in await jobs.list_waiting_of(1)] == [own[0].job_id, own[2].job_id]


async def test_measured_jobs_of_a_model_and_an_engine_are_listed_newest_first(
    database: Database, jobs: JobRepository
):
    made = []
    for number in range(5):
        job = await put_into(database, await insert(jobs), JobStatus.RUNNING)
        await jobs.mark_rendered(
            job.job_id,
            (),
            cost=1,
            gpu_seconds=number,
            engine="slow" if number == 4 else "fast",
            cut_words="",
            now=NOW + number,
        )
        made.append(job.job_id)
    await database.execute(
        "UPDATE job SET recipe = json_set(recipe, '$.model', 'other') WHERE job_id = ?", (made[2],)
    )
    found = [job.job_id for job in await jobs.list_measured("fake model", "fast", 9)]
    assert found == [made[3], made[1]]
    [newest] = await jobs.list_measured("fake model", "fast", 1)
    assert newest.job_id == made[3]
    [other] = await jobs.list_measured("fake model", "slow", 9)
    assert other.job_id == made[4]
    assert await jobs.list_measured("no model", "fast", 9) == []
