"""A job whose engine is lost goes to another one, and is charged once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from bot.domain.jobs import Job, JobStatus
from bot.engine import EnginePool
from bot.engine.api import ModelStatus, Progress, Swapping
from bot.errors import ModelOut
from bot.jobs import dispatcher
from bot.texts.codes import Code
from bot.texts.reasons import say
from tests.conftest import House, OpenHouse
from tests.engine.fleet.puppets import Puppet, Rig
from tests.fakes.engine import INFO, FakeEngine
from tests.jobs.queue.swap_simulation import SimEstimator
from tests.jobs.test_dispatcher import check_use_is_on_record, used


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Rig:
    """Two engines that are ready as soon as the dispatcher starts them."""
    monkeypatch.setattr(dispatcher, "TEND_SECONDS", 0.005)
    caplog.set_level(logging.CRITICAL)
    rig = Rig("a", "b")
    for name in "ab":
        rig[name].load()
    return rig


async def begin(house: House, rig: Rig, job: Job) -> str:
    """Wait until an engine draws the job; returns its name."""
    await house.until(lambda: any(job.job_id in rig[name].drawing for name in "ab"))
    return next(name for name in "ab" if job.job_id in rig[name].drawing)


async def test_job_whose_engine_is_lost_is_drawn_by_another_and_charged_once(
    open_house: OpenHouse, rig: Rig
):
    async with open_house(rig.pool) as house:
        await house.start()
        job = await house.submit()
        first = await begin(house, rig, job)
        rig[first].lose()
        second = await begin(house, rig, job)
        assert second != first
        rig[second].finish(job.job_id)
        done = await house.until_status(job, JobStatus.DELIVERED)
        assert (done.attempt, done.engines_lost, done.cost) == (2, 1, 1.0)
        await house.until_idle()
        assert sum(used(house).values()) == pytest.approx(1.0)
        await check_use_is_on_record(house)


async def test_job_that_loses_five_engines_ends_with_an_apology_and_costs_nothing(
    open_house: OpenHouse, rig: Rig
):
    async with open_house(rig.pool) as house:
        await house.start()
        job = await house.submit()
        for _ in range(5):
            name = await begin(house, rig, job)
            rig[name].lose()
            rig.now += 1000.0
            await house.until(lambda name=name: rig[name].fault is None)
            rig[name].load()
        ended = await house.until_status(job, JobStatus.FAILED)
        assert (ended.attempt, ended.cost) == (5, 0.0)
        await house.until_idle()
        assert used(house) == {}
        await check_use_is_on_record(house)


async def test_lost_engine_does_not_count_as_one_of_the_two_attempts(
    open_house: OpenHouse, rig: Rig
):
    async with open_house(rig.pool) as house:
        await house.start()
        job = await house.submit()
        rig[await begin(house, rig, job)].lose()
        name = await begin(house, rig, job)
        rig[name].fail(job.job_id)
        rig[await begin(house, rig, job)].finish(job.job_id)
        done = await house.until_status(job, JobStatus.DELIVERED)
        assert (done.attempt, done.engines_lost, done.cost) == (3, 1, 1.0)


async def test_bot_that_ends_while_a_moved_job_is_drawn_draws_it_again(
    open_house: OpenHouse, rig: Rig
):
    async with open_house(rig.pool) as before:
        await before.start()
        job = await before.submit()
        rig[await begin(before, rig, job)].lose()
        await begin(before, rig, job)
        row = await before.fetch(job)  # as it stays if the bot is killed now
    assert (row.status, row.attempt, row.engines_lost) == (JobStatus.RUNNING, 2, 1)
    async with open_house() as after:
        await after.database.execute(
            "UPDATE job SET status = 'running', attempt = 2, engines_lost = 1"
        )
        await after.services.recovery.run()
        assert (await after.fetch(job)).status is JobStatus.QUEUED


async def test_fault_while_engines_are_looked_after_is_logged_and_stops_nothing(
    open_house: OpenHouse,
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    tries: list[None] = []
    tend = rig.pool.tend

    def fail_twice() -> None:
        tries.append(None)
        if len(tries) < 3:
            raise KeyError("a fault of ours")
        tend()

    monkeypatch.setattr(rig.pool, "tend", fail_twice)
    caplog.set_level(logging.ERROR)
    async with open_house(rig.pool) as house:
        await house.start()
        await house.until(lambda: len(tries) > 2)
        job = await house.submit()
        rig[await begin(house, rig, job)].finish(job.job_id)
        await house.until_status(job, JobStatus.DELIVERED)
    assert "a fault of ours" in caplog.text


async def test_job_that_waits_for_another_engine_is_not_charged_meanwhile(
    open_house: OpenHouse, rig: Rig
):
    async with open_house(rig.pool) as house:
        await house.start()
        job, other = await house.submit(), await house.submit()
        await begin(house, rig, job)
        name = await begin(house, rig, other)
        rig[name].lose()
        await house.until(lambda: len(house.services.waitlist.queue))
        assert sum(used(house).values()) == pytest.approx(1.0)  # the one that is drawn


async def test_late_progress_of_a_lost_engine_is_not_counted(open_house: OpenHouse, rig: Rig):
    async with open_house(rig.pool) as house:
        await house.start()
        job = await house.submit()
        first = await begin(house, rig, job)
        _, tell, _ = rig[first].drawing[job.job_id]
        rig[first].lose()
        second = await begin(house, rig, job)
        assert tell is not None
        tell(Progress(3, 4))
        await asyncio.sleep(0.01)
        ended = await house.services.dispatcher.cancel(job.job_id)
        assert ended is not None
        assert ended.cost == 0.0  # the second engine has drawn nothing yet
        await house.until(lambda: not rig[second].drawing)


async def test_pace_of_an_engine_that_is_ready_later_is_remembered_too(open_house: OpenHouse):
    async with open_house(FakeEngine(drawn_by=lambda request: ("slow card", 8.0))) as before:
        await before.start()
        await before.until_status(await before.submit(), JobStatus.DELIVERED)
        await before.until_idle()
    fast, slow = Puppet(), Puppet()
    slow.info = replace(slow.info, engine="slow card")
    fast.load()
    async with open_house(EnginePool({"fast": lambda: fast, "slow": lambda: slow})) as after:
        await after.start()
        await after.until(lambda: after.services.waitlist.info)
        slow.load()
        pace = after.services.waitlist.paces.of("slow card")
        await after.until(lambda: pace.cost_per_second == pytest.approx(1 / 8))


@pytest.fixture
def card() -> Puppet:
    """A card with two models, which draws one request of each at a time."""
    other = replace(INFO, id="other", name="Other model", is_default=False)
    card = Puppet()
    card.others = (ModelStatus("other", other),)
    card.estimator = SimEstimator(Swapping("other", 7.0, 20.0), 1)
    card.load()
    return card


async def test_shown_wait_contains_the_time_of_the_swap(open_house: OpenHouse, card: Puppet):
    async with open_house(EnginePool({}, alone=card)) as house:
        await house.start()
        waitlist = house.services.waitlist
        waitlist.paces.of(INFO.engine).add(1.0, 1.0)
        first, second = await house.submit(), await house.submit()
        await house.until(lambda: first.job_id in card.drawing)
        assert waitlist.places()[second.job_id].wait_seconds == 1.0 + 1.0 + 7.0
        card.estimator = SimEstimator(Swapping(INFO.id, 7.0, 20.0), 1)
        card.on_change()
        assert waitlist.places()[second.job_id].wait_seconds == 1.0 + 1.0


async def test_waiting_jobs_of_a_model_that_fails_end_with_the_names_of_others(
    open_house: OpenHouse, card: Puppet
):
    async with open_house(EnginePool({}, alone=card)) as house:
        await house.start()
        first, second = await house.submit(), await house.submit()
        await house.until(lambda: first.job_id in card.drawing)
        card.note = "its files are gone"
        card.on_change()
        ended = await house.until_status(second, JobStatus.REFUSED)
        assert ended.cost == 0.0
        assert "Choose another one: Other model." in say(ended.reason)
        _, _, future = card.drawing.pop(first.job_id)
        future.set_exception(ModelOut(card.note))  # the engine could not load it again
        ended = await house.until_status(first, JobStatus.REFUSED)
        assert ended.reason is not None
        assert ended.reason.code is Code.MODEL_OUT
