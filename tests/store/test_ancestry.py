"""The prompts that led to a picture are found through the rows of jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.jobs import Ancestry, Job, Origin, Source
from bot.domain.recipes import Recipe, StartPicture
from bot.store import Database, JobRepository
from bot.store.ancestry import MAX_CHARACTERS, MAX_GENERATIONS, AncestryRepository
from bot.store.retention import RetentionRepository

NOW = 1_800_000_000.0


@pytest.fixture
def ancestry(database: Database) -> AncestryRepository:
    return AncestryRepository(database)


async def insert(
    jobs: JobRepository, prompt: str, start: StartPicture | None = None, negative: str = ""
) -> Job:
    recipe = Recipe(prompt, negative, (1, 2, 3), start=start)
    job = await jobs.insert_job(Origin(source=Source.TERMINAL), recipe, now=NOW, cost_estimate=1.0)
    assert job is not None
    return job


def panel(job: Job, number: int = 1) -> StartPicture:
    return StartPicture(job.job_id, number, 0.7)


async def test_all_jobs_behind_a_picture_are_found_the_nearest_first(
    jobs: JobRepository, ancestry: AncestryRepository
):
    first = await insert(jobs, "dog", negative="cat")
    second = await insert(jobs, "wolf", panel(first))
    await insert(jobs, "not behind it", panel(first))
    third = await insert(jobs, "wolf", replace(panel(second, 3), factor=2))
    assert await ancestry.fetch(None) == Ancestry()
    assert await ancestry.fetch(panel(first)) == Ancestry((("dog", "cat"),))
    assert await ancestry.fetch(panel(third)) == Ancestry((("wolf", ""), ("dog", "cat")))


async def test_models_behind_a_picture_are_found(jobs: JobRepository, ancestry: AncestryRepository):
    start = None
    for model in ("alice", None, "dreams"):
        recipe = Recipe("dog", "", (1, 2, 3), start=start, model=model)
        origin = Origin(source=Source.TERMINAL)
        job = await jobs.insert_job(origin, recipe, now=NOW, cost_estimate=1.0)
        assert job is not None
        start = panel(job)
    assert (await ancestry.fetch(start)).models == {"alice", "dreams"}


async def test_edit_is_seen_behind_all_that_came_of_it(
    jobs: JobRepository, ancestry: AncestryRepository
):
    first = await insert(jobs, "dog")
    plain = await insert(jobs, "wolf", panel(first))
    assert not (await ancestry.fetch(panel(plain))).is_edited
    start = replace(panel(plain), strength=1.0, edited=True)
    assert (await ancestry.fetch(start)).is_edited
    assert (await ancestry.fetch(start)).instructions == set()
    winter = await insert(jobs, "make it winter", start)
    varied = await insert(jobs, "make it winter", panel(winter))
    for job in (winter, varied):
        assert (await ancestry.fetch(panel(job))).is_edited
        assert not (await ancestry.fetch(panel(job))).edits_sent
        assert (await ancestry.fetch(panel(job))).instructions == {"make it winter"}
    sent = replace(start, job_id=0, panel=0)
    assert (await ancestry.fetch(sent)).edits_sent
    assert (await ancestry.fetch(replace(start, job_id=999))).edits_sent  # nobody knows
    edited = await insert(jobs, "make it winter", sent)
    varied = await insert(jobs, "make it winter", panel(edited))
    assert (await ancestry.fetch(panel(varied))).edits_sent


async def test_picture_that_a_person_sent_is_seen_behind_all_that_came_of_it(
    jobs: JobRepository, ancestry: AncestryRepository
):
    own = StartPicture(0, 0, 0.7)
    first = await insert(jobs, "dog", own)
    # about the same picture, not about the words
    rerolled = await insert(jobs, "cat", panel(first, 0))
    varied = await insert(jobs, "wolf", panel(rerolled))
    assert await ancestry.fetch(own) == Ancestry(is_sent=True)
    assert await ancestry.fetch(panel(first, 0)) == Ancestry(is_sent=True)
    assert await ancestry.fetch(panel(first)) == Ancestry((("dog", ""),), is_sent=True)
    texts = (("wolf", ""), ("cat", ""))
    assert await ancestry.fetch(panel(varied)) == Ancestry(texts, is_sent=True)


async def test_deleted_words_and_a_lost_row_are_unknown(
    database: Database, jobs: JobRepository, ancestry: AncestryRepository
):
    first = await insert(jobs, "dog")
    second = await insert(jobs, "wolf", panel(first))
    await database.execute(
        "UPDATE job SET source = 'interaction', status = 'delivered' WHERE job_id = ?",
        (first.job_id,),
    )
    await RetentionRepository(database).blank([first.job_id])
    assert await ancestry.fetch(panel(second)) == Ancestry((("wolf", ""),), is_unknown=True)
    assert await ancestry.fetch(StartPicture(999, 1, 0.7)) == Ancestry(is_unknown=True)


async def test_too_many_generations_and_a_circle_are_unknown_and_come_to_an_end(
    database: Database, jobs: JobRepository, ancestry: AncestryRepository
):
    first = job = await insert(jobs, "dog")
    for _ in range(MAX_GENERATIONS - 1):
        job = await insert(jobs, "wolf", panel(job))
    assert await ancestry.fetch(panel(job)) == Ancestry((("wolf", ""), ("dog", "")))
    job = await insert(jobs, "wolf", panel(job))
    assert (await ancestry.fetch(panel(job))).is_unknown
    await database.execute(
        "UPDATE job SET recipe = json_set(recipe, '$.start', json_object('job_id', job_id, "
        "'panel', 1, 'strength', 0.7)) WHERE job_id = ?",
        (first.job_id,),
    )
    assert await ancestry.fetch(panel(first)) == Ancestry((("dog", ""),), is_unknown=True)


async def test_more_words_than_can_be_judged_at_a_press_are_unknown(
    jobs: JobRepository, ancestry: AncestryRepository
):
    longest = "x" * (MAX_CHARACTERS // 2)
    first = await insert(jobs, longest, negative=longest)
    assert await ancestry.fetch(panel(first)) == Ancestry(((longest, longest),))
    second = await insert(jobs, "dog", panel(first))
    assert await ancestry.fetch(panel(second)) == Ancestry((("dog", ""),), is_unknown=True)
