"""A process resumes or ends the jobs that an earlier process left."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.pictures import PanelVerdict
from bot.domain.recipes import Ask
from bot.domain.review import Decision
from bot.engine.api import GenerationRequest
from bot.errors import GenerationRejected, StoreError, UserError
from bot.jobs.ports import Ended, MessageDeleted, Undeliverable, Waiting
from bot.recipes.derive import compose_again
from bot.recipes.resolve import complete_recipe, compose_recipe
from bot.texts.codes import Code
from bot.texts.reasons import because, say
from tests.conftest import (
    GUILD,
    MEMBER,
    START,
    Clock,
    FakeCaller,
    FakeMessenger,
    House,
    OpenHouse,
)
from tests.fakes.engine import INFO, FakeEngine

OPEN = (JobStatus.ACCEPTED, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.RENDERED)


async def leave(house: House, status: JobStatus, origin: Origin | None = None) -> Job:
    """Store a job as a killed process leaves it."""
    origin = origin or house.origin()
    services = house.services
    services.waitlist.info = INFO
    recipe = complete_recipe(compose_recipe(Ask("dog"), 1), INFO)
    job = await services.jobs.insert_job(origin, recipe, now=house.clock.now, cost_estimate=1.0)
    assert job is not None
    if status is JobStatus.ACCEPTED:
        return job
    await services.jobs.mark_answered(job.job_id, message_id=5, now=house.clock.now)
    if status is JobStatus.QUEUED:
        return await house.fetch(job)
    running = await services.jobs.mark_running(job, now=house.clock.now)
    assert running is not None
    if status is JobStatus.RENDERED:
        images = np.zeros((3, 64, 64, 3), np.uint8)
        verdicts = (PanelVerdict(False, True),) * 3
        files = await services.writer.write(job.job_id, running.recipe, images, verdicts)
        await services.jobs.mark_rendered(
            job.job_id, files, cost=1.5, gpu_seconds=3.0, cut_words="", now=START
        )
    return await house.fetch(job)


@pytest.mark.parametrize("status", OPEN)
async def test_open_job_is_delivered_by_the_next_process(open_house: OpenHouse, status: JobStatus):
    async with open_house() as before:
        job = await leave(before, status)
    async with open_house() as after:
        await after.services.recovery.run()
        await after.start()
        done = await after.until_status(job, JobStatus.DELIVERED)
        await after.until_idle()
        assert len(after.messenger.delivered) == 1
        assert len(after.engine.drawn) == (0 if status is JobStatus.RENDERED else 1)
        expected = {JobStatus.RENDERED: 1, JobStatus.RUNNING: 2}
        assert done.attempt == expected.get(status, 1)
        assert done.cost > 0


async def test_whether_an_accepted_job_was_answered_is_asked_by_showing_its_place(
    open_house: OpenHouse,
):
    async with open_house() as before:
        job = await leave(before, JobStatus.ACCEPTED)
    async with open_house() as after:
        await after.services.recovery.run()
        assert after.messenger.updates_of(job.job_id) == [Waiting(None)]
        assert (await after.fetch(job)).status is JobStatus.QUEUED


async def test_accepted_job_that_was_never_answered_is_dropped_silently(open_house: OpenHouse):
    async with open_house() as before:
        job = await leave(before, JobStatus.ACCEPTED)
    messenger = FakeMessenger()
    messenger.reachable = False
    async with open_house(messenger=messenger) as after:
        await after.services.recovery.run()
        ended = await after.fetch(job)
        assert (ended.status, ended.cost) == (JobStatus.FAILED, 0.0)
        assert messenger.told == []
        assert len(after.services.waitlist.queue) == 0


async def test_accepted_job_whose_message_cannot_be_edited_for_another_reason_is_drawn(
    open_house: OpenHouse,
):
    async def refused(*_: object) -> None:
        raise Undeliverable("Discord refused it")

    async with open_house() as before:
        job = await leave(before, JobStatus.ACCEPTED)
    messenger = FakeMessenger()
    messenger.progress = refused
    async with open_house(messenger=messenger) as after:
        await after.services.recovery.run()
        assert (await after.fetch(job)).status is JobStatus.QUEUED
        assert len(after.services.waitlist.queue) == 1


async def test_job_interrupted_twice_is_not_tried_a_third_time(open_house: OpenHouse):
    async with open_house() as before:
        job = await leave(before, JobStatus.RUNNING)
        await before.database.execute("UPDATE job SET attempt = 2")
    async with open_house() as after:
        await after.services.recovery.run()
        ended = await after.fetch(job)
        assert (ended.status, ended.cost) == (JobStatus.FAILED, 0.0)
        assert "interrupted twice. Nothing was charged; please ask again." in say(ended.reason)
        assert after.messenger.updates_of(job.job_id) == [Ended()]
        assert len(after.services.waitlist.queue) == 0


async def test_member_out_of_reach_of_their_message_is_told_directly(open_house: OpenHouse):
    async with open_house() as before:
        job = await leave(before, JobStatus.RUNNING)
        await before.database.execute("UPDATE job SET attempt = 2")
    messenger = FakeMessenger()
    messenger.reachable = False
    async with open_house(messenger=messenger) as after:
        await after.services.recovery.run()
        assert [job_id for job_id, _ in messenger.told] == [job.job_id]
        assert "Nothing was charged" in messenger.told[0][1]


@pytest.mark.parametrize("status", [JobStatus.ACCEPTED, JobStatus.QUEUED, JobStatus.RUNNING])
async def test_job_whose_token_died_is_told_where_the_bot_is_no_member(
    open_house: OpenHouse, status: JobStatus
):
    async with open_house() as before:
        job = await leave(before, status, before.origin(bot_in_channel=False))
        here = await leave(before, status)
    async with open_house(clock=Clock(START + 901)) as after:
        await after.services.recovery.run()
        ended = await after.fetch(job)
        assert (ended.status, ended.cost, ended.origin.token) == (JobStatus.FAILED, 0.0, None)
        assert ended.reason
        resumed = await after.fetch(here)
        waiting = [waiting.job_id for waiting in after.services.waitlist.queue.walk(0)]
        if status is JobStatus.ACCEPTED:  # without a token, nobody can reach its first answer
            assert (resumed.status, waiting) == (JobStatus.FAILED, [])
        else:
            assert (resumed.status, resumed.origin.token) == (JobStatus.QUEUED, None)
            assert waiting == [here.job_id]


async def test_rendered_job_whose_pictures_are_gone_is_told_and_refunded(open_house: OpenHouse):
    async with open_house() as before:
        job = await leave(before, JobStatus.RENDERED)
        shutil.rmtree(before.services.writer.folder_of(job.job_id))
    async with open_house() as after:
        await after.services.waitlist.load()
        await after.services.recovery.run()
        ended = await after.until_status(job, JobStatus.UNDELIVERABLE)
        await after.until_idle()
        assert ended.cost == 0.0
        assert after.messenger.updates_of(job.job_id) == [Ended()]
        assert after.services.waitlist.use.totals(after.clock.now).by_member == {}


@pytest.mark.parametrize("status", OPEN)
async def test_interrupted_command_waits_for_nothing(open_house: OpenHouse, status: JobStatus):
    async with open_house() as before:
        job = await leave(before, status, Origin(source=Source.TERMINAL))
        other = await leave(before, JobStatus.QUEUED, before.origin(interaction_id=None))
    async with open_house() as after:
        await after.services.recovery.drop_terminal_jobs()
        ended = await after.fetch(job)
        assert (ended.status, ended.cost) == (JobStatus.FAILED, 0.0)
        assert say(ended.reason) == "The command was interrupted."
        assert (await after.fetch(other)).status is JobStatus.QUEUED


async def test_finished_jobs_are_left_alone(open_house: OpenHouse):
    async with open_house() as before:
        await before.start()
        job = await before.submit()
        done = await before.until_status(job, JobStatus.DELIVERED)
        refused = await before.submit("")
        await before.until_idle()
    async with open_house() as after:
        await after.services.recovery.run()
        assert await after.fetch(done) == done
        assert await after.fetch(refused) == refused
        assert after.messenger.shown == []


async def test_line_is_in_the_same_order_after_a_restart(open_house: OpenHouse):
    """Before the restart, some jobs are drawn, one is cancelled halfway, and one fails."""
    clock = Clock()

    def flaw(request: GenerationRequest) -> None:
        if request.recipe.prompt == "poison":
            raise GenerationRejected("This cannot be drawn.")

    def places(house: House) -> list[int]:
        return [job.job_id for job in house.services.waitlist.queue.walk(clock.now)]

    engine = FakeEngine(flaw=flaw, step_seconds=0.0005)
    async with open_house(engine, clock) as before:
        await before.start()
        for number in range(12):
            origin = before.origin(number % 4, guild_id=(None, 1, 2)[number % 3])
            prompt = "poison" if number == 5 else "dog"
            await before.submit(prompt, origin, num_inference_steps=1 + number % 5)
            clock.now += 100.0
        half = await before.submit(origin=before.origin(1), num_inference_steps=100)
        await before.until(lambda: before.services.dispatcher._progress.get(half.job_id))
        await before.services.dispatcher.cancel(half.job_id)
        await before.until_idle()
        await before.services.dispatcher.stop(5.0, 1.0)
        for number in range(20):
            guild = (None, 1, 2)[number * 7 % 3]
            await before.submit(origin=before.origin(number % 5, guild_id=guild))
        order = places(before)
        use = before.services.waitlist.use.totals(clock.now)
        assert len(order) == 20
    async with open_house(clock=clock) as after:
        await after.services.waitlist.load()
        await after.services.recovery.run()
        again = after.services.waitlist.use.totals(clock.now)
        assert again.by_member == pytest.approx(use.by_member)
        assert again.by_guild == pytest.approx(use.by_guild)
        assert places(after) == order


async def test_pace_is_remembered_over_a_restart(open_house: OpenHouse):
    async with open_house() as before:
        await before.start()
        await before.until_status(await before.submit(), JobStatus.DELIVERED)
        await before.until_idle()
        pace = before.services.waitlist.measure_pace()
    async with open_house() as after:
        await after.services.waitlist.welcome(after.engine.info)
        assert after.services.waitlist.measure_pace() == pytest.approx(pace)


async def test_pace_of_another_model_is_not_taken_over(open_house: OpenHouse):
    async with open_house() as before:
        await before.start()
        await before.until_status(await before.submit(), JobStatus.DELIVERED)
    async with open_house() as after:
        await after.services.waitlist.welcome(replace(after.engine.info, id="a larger model"))
        assert after.services.waitlist.measure_pace() is None


async def test_pace_of_another_engine_is_not_taken_over(open_house: OpenHouse):
    async with open_house() as before:
        await before.start()
        await before.until_status(await before.submit(), JobStatus.DELIVERED)
    async with open_house() as after:
        await after.services.waitlist.welcome(replace(after.engine.info, engine="a faster card"))
        assert after.services.waitlist.measure_pace() is None


async def test_accepted_job_is_kept_when_discord_cannot_say_whether_it_was_answered(
    open_house: OpenHouse,
):
    async with open_house() as before:
        job = await leave(before, JobStatus.ACCEPTED)
    messenger = FakeMessenger()
    messenger.is_away = True
    async with open_house(messenger=messenger) as after:
        await after.services.recovery.run()
        assert (await after.fetch(job)).status is JobStatus.QUEUED


async def test_job_accepted_by_this_process_is_answered_once(open_house: OpenHouse):
    """Recovery runs before the first interaction can arrive, and does not touch later jobs."""
    async with open_house() as house:
        await house.services.recovery.run()
        caller = FakeCaller()
        job = await house.submit(caller=caller)
        assert caller.journal == [f"acknowledged {job.job_id}"]
        assert house.messenger.shown == []


async def test_end_that_was_not_shown_is_shown_by_the_next_process_and_only_once(
    open_house: OpenHouse,
):
    async with open_house() as before:
        job = await leave(before, JobStatus.QUEUED)
        await before.services.jobs.mark_ended(
            job.job_id,
            JobStatus.FAILED,
            reason=because(Code.DRAWING_FAILED),
            now=before.clock.now,
            leaving=[JobStatus.QUEUED],
        )
    async with open_house() as after:
        await after.services.recovery.run()
        assert after.messenger.updates_of(job.job_id) == [Ended()]
    async with open_house() as later:
        await later.services.recovery.run()
        assert later.messenger.updates_of(job.job_id) == []


async def test_recipe_of_a_newer_program_is_said_and_left_alone(
    open_house: OpenHouse, caplog: pytest.LogCaptureFixture
):
    left = (JobStatus.ACCEPTED, JobStatus.QUEUED, JobStatus.RUNNING)
    newer = "UPDATE job SET recipe = json_set(recipe, '$.version', 99, '$.tempo', 'allegro')"
    async with open_house() as before:
        jobs = [await leave(before, status) for status in left]
        await before.services.jobs._database.execute(newer)
        rows = [await before.fetch(job) for job in jobs]
    async with open_house() as after:
        await after.services.recovery.run()
        await after.start()
        other = await after.submit(origin=after.origin(interaction_id=99))
        await after.until_status(other, JobStatus.DELIVERED)
        assert [await after.fetch(job) for job in jobs] == rows
        [count] = await after.services.jobs._database.fetch_all(
            "SELECT count(*) FROM job WHERE json_extract(recipe, '$.tempo') = 'allegro'"
        )
        assert count[0] == len(jobs)
    with pytest.raises(UserError, match="newer Triptych"):
        compose_again(rows[0])
    with pytest.raises(UserError, match="newer Triptych"):
        complete_recipe(rows[0].recipe, INFO)
    assert "job 2: not drawn: the recipe has version 99" in caplog.text


async def test_jobs_that_are_left_alone_take_nobodys_place(open_house: OpenHouse):
    limits = {"max_waiting": 2, "max_waiting_per_guild": 2, "max_waiting_per_member": 2}
    async with open_house(**limits) as house:
        for _ in range(2):
            await leave(house, JobStatus.QUEUED)
        assert (await house.submit()).status is JobStatus.REFUSED
        await house.database.execute("UPDATE job SET recipe = json_set(recipe, '$.version', 99)")
        assert (await house.submit()).status is JobStatus.QUEUED


async def test_held_recipe_of_a_newer_program_is_left_alone_once_it_is_approved(house: House):
    await house.services.settings.put(GUILD, "review_channel_id", 4)
    await house.services.settings.put(GUILD, "review_everything", True)
    held = await house.submit()
    await house.database.execute("UPDATE job SET recipe = json_set(recipe, '$.version', 99)")
    [case] = house.messenger.cards
    await house.services.decisions.decide(case.card.card_id, Decision.APPROVE, MEMBER + 1, GUILD)
    await house.services.settings.put(GUILD, "review_everything", None)
    await house.until_status(await house.submit(), JobStatus.DELIVERED)
    assert (await house.fetch(held)).status is JobStatus.QUEUED


async def test_stop_while_a_deleted_message_ends_its_job_does_not_call_the_pictures_lost(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
):
    async def find_it_deleted(*_: object, **__: object) -> None:
        raise MessageDeleted("10008: unknown message")

    async def stop(*_: object, **__: object) -> None:
        raise StoreError("Triptych is stopping.")

    messenger = FakeMessenger()
    monkeypatch.setattr(messenger, "deliver", find_it_deleted)
    async with open_house(messenger=messenger) as house:
        await house.start()
        with monkeypatch.context() as patch:
            patch.setattr(house.services.jobs, "mark_ended", stop)
            job = await house.submit("dog")
            await house.until_status(job, JobStatus.RENDERED)
            await house.until_idle()
        await house.services.dispatcher.resume_delivery(await house.fetch(job))
        ended = await house.until_status(job, JobStatus.CANCELLED, JobStatus.UNDELIVERABLE)
        await house.until_idle()
    assert ended.reason == because(Code.MESSAGE_DELETED)
    assert ended.cost == 1.0, "it was drawn"
    assert not house.services.writer.folder_of(job.job_id).exists()
