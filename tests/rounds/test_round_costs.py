"""What a round costs, whom, and when its turn comes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.guilds import RoleQuota
from bot.domain.jobs import Job, JobStatus, Origin, Share, Source
from bot.domain.recipes import Recipe
from bot.domain.rounds import RoundStatus
from bot.jobs.queue.fair_queue import JobQueue
from bot.jobs.queue.usage import RecentUse
from bot.store import read_usage
from bot.texts.codes import Code
from bot.texts.reasons import because, say
from tests.conftest import GUILD, START
from tests.jobs.test_dispatcher import check_use_is_on_record, used
from tests.rounds.conftest import ANN, BEN, CAI, Evening, OpenEvening


async def spent_by(evening: Evening, user_id: int) -> tuple[float, float]:
    """Return what counts against the quotas of an hour and of a day."""
    standing = evening.house.services.standing
    origin = evening.house.origin(user_id)
    hour = await standing.fetch(origin, evening.clock.now)
    return hour.member_cost, await standing.fetch_cost_since(origin, evening.clock.now - 86400)


async def test_authors_pay_equal_shares_of_all_quotas(evening: Evening):
    round_ = await evening.play()
    job = await evening.job_of(round_)
    for user_id in (ANN, BEN):
        assert await spent_by(evening, user_id) == pytest.approx((job.cost / 2, job.cost / 2))
    assert await spent_by(evening, CAI) == (0, 0)
    await evening.house.submit("dog", evening.house.origin(ANN))
    await evening.house.until_idle()
    own = (await evening.house.services.jobs.list_by_status(JobStatus.DELIVERED))[-1]
    assert (await spent_by(evening, ANN))[0] == pytest.approx(job.cost / 2 + own.cost)


async def test_share_is_refunded_when_nothing_is_delivered(evening: Evening):
    evening.house.messenger.posts = False
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns")
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.end_time(round_)
    await evening.house.until_idle()
    assert await spent_by(evening, ANN) == (0, 0)
    assert sum(used(evening.house).values()) == 0
    await check_use_is_on_record(evening.house)


async def test_author_without_quota_is_left_out_and_the_others_pay(open_evening: OpenEvening):
    async with open_evening(max_cost_per_member_per_hour=1.0) as evening:
        await evening.house.submit("dog", evening.house.origin(CAI))
        await evening.house.until_idle()
        spent = (await spent_by(evening, CAI))[0]
        assert 0 < spent <= 1
        await evening.house.services.jobs._database.execute("UPDATE job SET cost = 0.9")
        round_ = await evening.start()
        await evening.add(round_, ANN, "paper lanterns")
        await evening.add(round_, CAI, "two moons")
        await evening.add(round_, BEN, "a sleeping fox")
        await evening.draw(round_)
        job = await evening.job_of(round_)
        assert [(each.user_id, each.share) for each in job.shares] == [(ANN, 0.5), (BEN, 0.5)]
        assert "two moons" not in job.recipe.prompt
        [(user_id, said)] = evening.house.messenger.written
        assert user_id == CAI and say(because(Code.AUTHOR_WITHOUT_SHARE)) in said


async def test_round_ends_if_nobody_may_have_more_drawn(open_evening: OpenEvening):
    async with open_evening(max_cost_per_member_per_hour=0.1) as evening:
        round_ = await evening.start()
        await evening.add(round_, ANN, "paper lanterns")
        await evening.add(round_, BEN, "a sleeping fox")
        ended = await evening.end_time(round_)
        assert ended.status is RoundStatus.FAILED
        assert ended.reason is not None and ended.reason.code == Code.ROUND_NO_SHARES


async def test_quota_and_weight_of_a_role_hold_in_a_round(evening: Evening):
    quotas = [RoleQuota(5, weight=4.0), RoleQuota(6, max_cost_per_day=0.2)]
    await evening.set("role_quotas", quotas)
    round_ = await evening.start()
    await evening.add(round_, ANN, "paper lanterns", role_ids=(5,))
    await evening.add(round_, CAI, "two moons", role_ids=(6,))
    await evening.add(round_, BEN, "a sleeping fox")
    await evening.draw(round_)
    shares = (await evening.job_of(round_)).shares
    assert [(each.user_id, each.weight) for each in shares] == [(ANN, 4.0), (BEN, 1.0)]


async def test_usage_names_the_seconds_of_authors_and_counts_the_job_once(evening: Evening):
    round_ = await evening.play()
    job = await evening.job_of(round_)
    rows = read_usage(evening.house.services.writer._folder.parent, 0)
    assert job.gpu_seconds is not None
    assert [(each.user_id, each.jobs, each.pictures, each.gpu_seconds) for each in rows] == [
        (0, 1, 3, 0.0),
        (ANN, 0, 0, pytest.approx(job.gpu_seconds / 2)),
        (BEN, 0, 0, pytest.approx(job.gpu_seconds / 2)),
    ]


def waiting(job_id: int, user_id: int, *shares: Share, cost: float = 1.0) -> Job:
    source = Source.ROUND if shares else Source.INTERACTION
    origin = Origin(user_id, guild_id=GUILD, source=source)
    return Job(job_id, origin, Recipe("x"), JobStatus.QUEUED, cost, cost, START, shares=shares)


def drew(use: RecentUse, job_id: int, user_id: int, cost: float) -> None:
    use.load(replace(waiting(job_id, user_id, cost=cost), status=JobStatus.DELIVERED), START)


def order(use: RecentUse, *jobs: Job) -> list[int]:
    queue = JobQueue(use)
    queue.add(jobs)
    places = queue.places(START, 0.0, None)
    walked = [job.job_id for job in queue.walk(START)]
    assert list(places) == walked
    return walked


def test_turn_of_a_round_comes_by_its_authors_mean_use():
    use = RecentUse()
    drew(use, 1, ANN, 4.0)
    drew(use, 2, CAI, 1.0)
    together = (Share(ANN, 0.5), Share(BEN, 0.5))  # mean 2
    round_ = waiting(10, 0, *together)
    assert order(use, round_, waiting(11, ANN), waiting(12, CAI)) == [12, 10, 11]
    drew(use, 3, CAI, 2.0)
    assert order(use, round_, waiting(11, ANN), waiting(12, CAI)) == [10, 12, 11]


def test_drawing_a_round_moves_the_own_prompts_of_its_authors_back():
    use = RecentUse()
    round_ = waiting(10, 0, Share(ANN, 0.5), Share(BEN, 0.5), cost=4.0)
    jobs = (round_, waiting(11, ANN), waiting(12, CAI), waiting(13, CAI), waiting(14, BEN))
    # 11 and 14 wait until CAI has drawn 12 and 13, because their shares of 10 are 2.0 each
    assert order(use, *jobs) == [10, 12, 13, 11, 14]


def test_own_prompts_of_authors_move_their_round_back():
    use = RecentUse()
    jobs = (
        waiting(9, ANN, cost=6.0),
        waiting(10, 0, Share(ANN, 0.5), Share(BEN, 0.5)),
        waiting(12, CAI),
        waiting(13, CAI),
        waiting(14, CAI),
        waiting(15, CAI, cost=9.0),
    )
    # after 9 the mean of the authors is 3
    assert order(use, *jobs) == [9, 12, 13, 14, 10, 15]
