"""A job's way from the queue to its delivery, and every way in which it can end."""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.domain.jobs import Job, JobStatus
from bot.engine.api import GenerationRequest
from bot.errors import (
    ConfigError,
    EngineLost,
    GenerationFailed,
    GenerationRejected,
    StoreError,
)
from bot.images.render import compose_hidden_tile
from bot.images.store import PictureWriter
from bot.jobs.ports import Delivery, Ended, InProgress, Undeliverable, Unreachable, Update, Waiting
from bot.jobs.status_messages import Pacing
from bot.store import DATABASE_FILE_NAME, JobRepository
from bot.texts.catalog import speaking
from bot.texts.codes import Code
from bot.texts.jobs import TILE_HIDDEN
from bot.texts.reasons import because, say
from tests.conftest import GUILD, MEMBER, START, Clock, FakeCaller, FakeMessenger, House, OpenHouse
from tests.fakes.engine import FakeEngine


def used(house: House) -> dict[tuple[int | None, int], float]:
    return house.services.waitlist.use.totals(house.clock.now).by_member


async def used_after_restart(house: House) -> dict[tuple[int | None, int], float]:
    """Return the sum that the next process will compute from the database."""
    services = house.services
    line = type(services.waitlist)(services.jobs, house.engine, services.models, house.clock)
    await line.load()
    return line.use.totals(house.clock.now).by_member


async def check_use_is_on_record(house: House) -> None:
    assert used(house) == pytest.approx(await used_after_restart(house))


def pictures(house: House, job: Job) -> list[str]:
    folder = house.services.writer.folder_of(job.job_id)
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_prompt_becomes_three_pictures_in_the_channel(house: House):
    job = await house.submit("dog in autumn leaves", seed=7, num_inference_steps=3)
    done = await house.until_status(job, JobStatus.DELIVERED)
    await house.until_idle()
    assert [request.recipe.seeds for request in house.engine.drawn] == [(7, 8, 9)]
    [(rendered, delivery)] = house.messenger.delivered
    assert (rendered.job_id, rendered.status) == (job.job_id, JobStatus.RENDERED)
    assert pictures(house, job) == ["1.png", "2.png", "3.png", "grid.png"]
    assert Image.open(delivery.images[2]).getpixel((0, 0)) == (9, 9, 9)
    assert done.message_id == 900_000 + job.job_id
    assert (done.attempt, done.reason) == (1, None)
    assert done.started_at == done.rendered_at == done.ended_at == START
    assert (done.recipe.sampler, done.recipe.model) == ("ddim", "fake model")
    assert done.cost > 0
    assert done.cost <= done.cost_estimate
    assert done.engine == house.engine.info.engine
    assert house.services.waitlist.measure_pace() is not None
    await check_use_is_on_record(house)


async def test_jobs_are_drawn_one_after_the_other_in_fair_order(open_house: OpenHouse):
    async with open_house() as house:
        owners = [1, 1, 1, 2, 2, 3]
        jobs = [await house.submit(origin=house.origin(owner)) for owner in owners]
        await house.start()
        for job in jobs:
            await house.until_status(job, JobStatus.DELIVERED)
        drawn = [request.request_id for request in house.engine.drawn]
        members = [owners[job_id - 1] for job_id in drawn]
        assert members[:3] == [1, 2, 3]
        assert [n for n in drawn if owners[n - 1] == 1] == [1, 2, 3]


async def test_job_taken_while_the_model_loads_is_completed_with_its_defaults(
    open_house: OpenHouse,
):
    engine = FakeEngine()
    engine.may_load.clear()
    async with open_house(engine) as house:
        house.drawing = asyncio.create_task(house.services.dispatcher.run())
        job = await house.submit("dog", width=72)
        refused = await house.submit("dog", width=100)
        stranger = await house.submit("dog", sampler="heun")
        await house.until(lambda: house.places_shown(job))
        assert house.places_shown(job)[0].model_ready is False
        assert house.places_shown(job)[0].place is not None
        engine.may_load.set()
        done = await house.until_status(job, JobStatus.DELIVERED)
        recipe = done.recipe
        assert (recipe.width, recipe.height, recipe.num_inference_steps) == (72, 64, 4)
        assert (recipe.guidance_scale, recipe.sampler, recipe.model) == (3.0, "ddim", "fake model")
        assert done.cost_estimate == pytest.approx(72 / 64)
        for bad, sentence in (
            (refused, "multiples of 8"),
            (stranger, "cannot use the sampler heun"),
        ):
            ended = await house.until_status(bad, JobStatus.REFUSED)
            assert sentence in say(ended.reason)
            assert ended.cost == 0.0
            assert house.messenger.updates_of(bad.job_id)[-1] == Ended()
        assert [request.request_id for request in engine.drawn] == [job.job_id]


async def test_waiting_members_are_told_when_the_model_is_ready(open_house: OpenHouse):
    engine = FakeEngine(step_seconds=0.01)
    engine.may_load.clear()
    async with open_house(engine) as house:
        house.services.status_messages._pacing = Pacing(0.0, max_edits=10_000)
        house.drawing = asyncio.create_task(house.services.dispatcher.run())
        await house.submit()
        second = await house.submit()
        await house.until(lambda: house.places_shown(second))
        engine.may_load.set()
        await house.until_status(second, JobStatus.DELIVERED)
        states = [update.model_ready for update in house.places_shown(second)]
        assert states == sorted(states)
        assert set(states) == {False, True}


async def test_model_that_does_not_load_ends_the_run_with_its_sentence(open_house: OpenHouse):
    async with open_house(FakeEngine(load_error=ConfigError("No such model."))) as house:
        job = await house.submit()
        with pytest.raises(ConfigError, match="No such model"):
            await house.start()
        assert (await house.fetch(job)).status is JobStatus.QUEUED


async def test_cancelled_waiting_job_is_never_drawn_and_frees_its_place(open_house: OpenHouse):
    async with open_house(max_waiting_per_member=2) as house:
        await house.load_model()
        first, second = await house.submit(), await house.submit()
        ended = await house.services.dispatcher.cancel(second.job_id)
        assert ended is not None
        assert (ended.status, ended.cost) == (JobStatus.CANCELLED, 0.0)
        assert house.messenger.removed == [second.job_id]
        assert (await house.submit()).status is JobStatus.QUEUED
        await house.start()
        await house.until_status(first, JobStatus.DELIVERED)
        await house.until_idle()
        assert second.job_id not in {request.request_id for request in house.engine.drawn}


def let_draw(*drawn: tuple[str, float]) -> FakeEngine:
    """Let the jobs' results name these engines and seconds, one after the other."""
    turns = iter(drawn)
    return FakeEngine(drawn_by=lambda request: next(turns))


async def draw_costs(house: House, count: int) -> list[float]:
    """Return the costs of jobs with default settings that are drawn one after the other."""
    await house.start()
    return [
        (await house.until_status(await house.submit(), JobStatus.DELIVERED)).cost
        for _ in range(count)
    ]


async def test_slow_engine_beside_a_fast_one_charges_no_more(open_house: OpenHouse):
    engine = let_draw(("fast", 1.0), ("slow", 10.0), ("slow", 10.0), ("fast", 1.0), ("slow", 5.0))
    async with open_house(engine) as house:
        assert await draw_costs(house, 5) == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.5])
        pace = house.services.waitlist.paces.sum_up(["fast", "slow"])
        assert pace == pytest.approx(2 / 2 + 3 / 25)


async def test_member_pays_for_no_slow_moment_and_less_for_a_quick_one(open_house: OpenHouse):
    async with open_house(let_draw(("one", 10.0), ("one", 30.0), ("one", 5.0))) as house:
        assert await draw_costs(house, 3) == pytest.approx([1.0, 1.0, 5.0 * 2 / 40])
        assert house.services.waitlist.paces.of("one").cost_per_second == pytest.approx(3 / 45)


@pytest.mark.parametrize("is_message_deleted", [False, True])
async def test_cancelled_running_job_costs_the_share_that_was_drawn(
    open_house: OpenHouse, is_message_deleted: bool
):
    async with open_house(FakeEngine(step_seconds=0.003)) as house:
        await house.start()
        job = await house.submit(num_inference_steps=100)
        await house.until(lambda: house.services.dispatcher._progress.get(job.job_id))
        await house.until(lambda: house.services.dispatcher._progress[job.job_id].step >= 5)
        step = house.services.dispatcher._progress[job.job_id].step
        dispatcher, drop = house.services.dispatcher, house.services.status_messages.drop
        assert drop is not None
        ended = await (drop if is_message_deleted else dispatcher.cancel)(job.job_id)
        assert isinstance(ended, Job)
        assert ended.status is JobStatus.CANCELLED
        assert ended.cost_estimate == 25.0
        assert ended.cost == pytest.approx(25.0 * step / 100)
        await house.until_idle()
        assert (await house.fetch(job)) == replace(ended, end_notified=True)
        assert used(house)[ended.origin.guild_id, MEMBER] == pytest.approx(ended.cost)
        await check_use_is_on_record(house)
        standing = await house.services.standing.fetch(job.origin, house.clock.now)
        assert (standing.member_cost, standing.member_waiting) == (ended.cost, 0)
        assert house.engine.drawn == []
        assert pictures(house, job) == []


async def test_nothing_is_shown_after_a_cancelled_job_was_removed(
    open_house: OpenHouse,
):
    """Progress of the last steps may still come from the engine's thread."""
    messenger = FakeMessenger()
    messenger.edit_seconds = 0.005
    async with open_house(FakeEngine(step_seconds=0.002), messenger=messenger) as house:
        house.services.status_messages._pacing = Pacing(0.0, max_edits=10_000)
        await house.start()
        for _ in range(5):
            job = await house.submit(num_inference_steps=50)
            await house.until(lambda job=job: house.services.dispatcher._progress.get(job.job_id))
            await house.services.dispatcher.cancel(job.job_id)
            assert messenger.removed[-1] == job.job_id
            shown = messenger.updates_of(job.job_id)
            await house.until_idle()
            await asyncio.sleep(0.01)
            assert messenger.updates_of(job.job_id) == shown
        channels = house.services.status_messages._channels.values()
        assert not any(channel.messages for channel in channels)


async def test_job_cancelled_while_its_files_are_written_leaves_none(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    write = PictureWriter.write

    async def write_and_cancel(writer: PictureWriter, job_id: int, *args: object) -> object:
        files = await write(writer, job_id, *args)
        await house.services.dispatcher.cancel(job_id)
        return files

    monkeypatch.setattr(PictureWriter, "write", write_and_cancel)
    job = await house.submit()
    ended = await house.until_status(job, JobStatus.CANCELLED)
    await house.until_idle()
    assert pictures(house, job) == []
    assert house.messenger.delivered == []
    assert ended.cost == ended.cost_estimate  # every step was drawn
    await check_use_is_on_record(house)


async def test_only_one_of_two_cancellations_ends_the_job(quiet_house: House):
    job = await quiet_house.submit()
    cancel = quiet_house.services.dispatcher.cancel
    ended = await asyncio.gather(cancel(job.job_id), cancel(job.job_id))
    assert sorted(job is None for job in ended) == [False, True]
    assert quiet_house.messenger.removed == [job.job_id]


async def test_finished_job_cannot_be_cancelled(house: House):
    job = await house.submit()
    await house.until_status(job, JobStatus.DELIVERED)
    assert await house.services.dispatcher.cancel(job.job_id) is None
    assert (await house.fetch(job)).status is JobStatus.DELIVERED


async def test_job_that_fails_once_is_drawn_at_the_second_attempt(open_house: OpenHouse):
    faults = iter([GenerationFailed("not finite")])

    def flaw(_: GenerationRequest) -> None:
        for fault in faults:
            raise fault

    async with open_house(FakeEngine(flaw=flaw)) as house:
        await house.start()
        job = await house.submit()
        done = await house.until_status(job, JobStatus.DELIVERED)
        assert done.attempt == 2
        await house.until_idle()
        await check_use_is_on_record(house)


@pytest.mark.parametrize("error", [GenerationFailed("not finite"), KeyError("a bug")])
async def test_job_that_fails_twice_ends_with_an_apology_and_costs_nothing(
    open_house: OpenHouse, error: Exception, caplog: pytest.LogCaptureFixture
):
    def flaw(request: GenerationRequest) -> None:
        if request.recipe.prompt == "poison":
            raise error

    async with open_house(FakeEngine(flaw=flaw)) as house:
        await house.start()
        job, other = await house.submit("poison"), await house.submit("dog")
        ended = await house.until_status(job, JobStatus.FAILED)
        await house.until_status(other, JobStatus.DELIVERED)
        await house.until_idle()
        assert (ended.attempt, ended.cost) == (2, 0.0)
        assert say(ended.reason).startswith("Sorry")
        assert "Nothing was charged" in say(ended.reason)
        assert house.messenger.updates_of(job.job_id)[-1] == Ended()
        assert f"job {job.job_id} failed at attempt 2" in caplog.text
        assert "poison" not in caplog.text
        await check_use_is_on_record(house)


async def test_request_that_the_model_cannot_draw_is_refused_with_its_sentence(
    open_house: OpenHouse,
):
    def flaw(_: GenerationRequest) -> None:
        raise GenerationRejected(because(Code.TOO_LARGE_FOR_DEVICE, width=999, height=999))

    async with open_house(FakeEngine(flaw=flaw)) as house:
        await house.start()
        ended = await house.until_status(await house.submit(), JobStatus.REFUSED)
        assert say(ended.reason).startswith("999×999 does not fit into the memory")
        assert (ended.attempt, ended.cost) == (1, 0.0)
        await house.until_idle()
        assert used(house) == {}


async def test_lost_engine_ends_the_run_and_the_job_waits_for_the_next_process(
    open_house: OpenHouse,
):
    def flaw(_: GenerationRequest) -> None:
        raise EngineLost("the device is gone")

    async with open_house(FakeEngine(flaw=flaw)) as house:
        await house.start()
        assert house.drawing is not None
        first, second = await house.submit(), await house.submit()
        with pytest.raises(EngineLost, match="the device is gone"):
            await house.drawing
        await house.services.dispatcher.stop(1.0, 1.0)
        assert [(await house.fetch(job)).status for job in (first, second)] == [
            JobStatus.QUEUED,
            JobStatus.QUEUED,
        ]
        assert (await house.fetch(first)).attempt == 1
        house.drawing = None


async def test_job_that_loses_the_engine_twice_is_not_tried_again(open_house: OpenHouse):
    def flaw(_: GenerationRequest) -> None:
        raise EngineLost("the device is gone")

    for _ in range(2):
        async with open_house(FakeEngine(flaw=flaw)) as house:
            await house.services.recovery.run()
            if not await house.services.jobs.list_by_status(*JobStatus):
                await house.submit()
            await house.services.waitlist.load()
            with pytest.raises(EngineLost):
                await house.services.dispatcher.run()
            await house.services.dispatcher.stop(1.0, 1.0)
            [job] = await house.services.jobs.list_by_status(*JobStatus)
            await asyncio.to_thread(house.engine.close, 1.0)
    assert (job.status, job.attempt, job.cost) == (JobStatus.FAILED, 2, 0.0)


async def test_stop_finishes_what_it_can_in_time(open_house: OpenHouse):
    async with open_house(FakeEngine(step_seconds=0.01)) as house:
        await house.start()
        job, waiting = await house.submit(), await house.submit()
        await house.until(lambda: house.services.waitlist.running)
        await house.services.dispatcher.stop(5.0, 1.0)
        assert (await house.fetch(job)).status is JobStatus.DELIVERED
        assert (await house.fetch(waiting)).status is JobStatus.QUEUED
        await house.drawing


async def test_stop_puts_back_in_line_what_it_cannot_finish(open_house: OpenHouse):
    async with open_house(FakeEngine(step_seconds=0.01)) as house:
        await house.start()
        job = await house.submit(num_inference_steps=100)
        await house.until(lambda: house.services.waitlist.running)
        await house.services.dispatcher.stop(0.02, 5.0)
        again = await house.fetch(job)
        assert (again.status, again.attempt, again.started_at) == (JobStatus.QUEUED, 0, None)
        assert used(house) == {}
        assert Ended() not in house.messenger.updates_of(job.job_id)


async def test_stop_while_the_model_loads_ends_the_run(open_house: OpenHouse):
    engine = FakeEngine()
    engine.may_load.clear()
    async with open_house(engine) as house:
        house.drawing = asyncio.create_task(house.services.dispatcher.run())
        job = await house.submit()
        await house.until(lambda: house.places_shown(job))
        try:
            await house.services.dispatcher.stop(1.0, 1.0)
            async with asyncio.timeout(10):
                await house.drawing
        finally:
            engine.may_load.set()
        assert (await house.fetch(job)).status is JobStatus.QUEUED


async def test_picture_lost_from_the_disk_is_told_and_not_charged(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    render = JobRepository.mark_rendered

    async def render_and_truncate(jobs: JobRepository, job_id: int, *args: object, **more: object):
        rendered = await render(jobs, job_id, *args, **more)
        path = house.services.writer.folder_of(job_id) / "2.png"
        path.write_bytes(path.read_bytes()[:-20])
        return rendered

    monkeypatch.setattr(JobRepository, "mark_rendered", render_and_truncate)
    job = await house.submit()
    ended = await house.until_status(job, JobStatus.UNDELIVERABLE)
    await house.until_idle()
    assert "lost from the disk" in say(ended.reason)
    assert "Nothing was charged" in say(ended.reason)
    assert ended.cost == 0.0
    assert house.messenger.delivered == []
    assert house.messenger.updates_of(job.job_id)[-1] == Ended()
    await check_use_is_on_record(house)


async def test_pictures_that_nobody_can_be_given_are_kept_and_refunded(house: House):
    house.messenger.reachable = False
    job = await house.submit()
    ended = await house.until_status(job, JobStatus.UNDELIVERABLE)
    await house.until_idle()
    assert ended.cost == 0.0
    for part in ("Discord did not accept them", "/gallery", "nothing was charged"):
        assert part in say(ended.reason)
    assert house.messenger.told == [(job.job_id, say(ended.reason))]
    assert len(pictures(house, job)) == 4
    await check_use_is_on_record(house)
    assert used(house) == {}


async def test_pictures_that_cannot_be_posted_where_the_message_stands_are_told_there(
    house: House,
):
    house.messenger.posts = False
    job = await house.submit()
    ended = await house.until_status(job, JobStatus.UNDELIVERABLE)
    await house.until_idle()
    assert (house.messenger.updates_of(job.job_id)[-1], house.messenger.told) == (Ended(), [])
    assert (await house.fetch(job)).end_notified
    assert "Discord did not accept them" in say(ended.reason)


async def test_member_of_a_refused_job_out_of_reach_is_written_to(open_house: OpenHouse):
    def flaw(_: GenerationRequest) -> None:
        raise GenerationRejected(because(Code.NO_STEPS))

    async with open_house(FakeEngine(flaw=flaw)) as house:
        await house.start()
        house.messenger.reachable = False
        job = await house.submit()
        await house.until(lambda: house.messenger.told)
        assert house.messenger.told == [(job.job_id, say(because(Code.NO_STEPS)))]


async def test_job_of_a_start_with_a_clock_ahead_does_not_stop_the_counting(open_house: OpenHouse):
    clock = Clock(START + 20 * 3600)
    async with open_house(clock=clock) as ahead:
        await ahead.start()
        done = await ahead.until_status(await ahead.submit(), JobStatus.DELIVERED)
        await ahead.until_idle()
    clock.now = START
    async with open_house(clock=clock) as house:
        await house.start()
        assert used(house) == pytest.approx({(GUILD, MEMBER): done.cost})
        again = house.origin(interaction_id=1)
        later = await house.until_status(await house.submit(origin=again), JobStatus.DELIVERED)
        await house.until_idle()
        assert used(house) == pytest.approx({(GUILD, MEMBER): done.cost + later.cost})


async def test_who_cancels_gets_no_direct_message_as_well(open_house: OpenHouse):
    async with open_house() as house:
        await house.load_model()
        house.messenger.reachable = False
        job = await house.submit()
        assert await house.services.dispatcher.cancel(job.job_id)
        assert house.messenger.told == []
        assert (await house.fetch(job)).end_notified


async def test_member_out_of_reach_while_discord_is_away_is_told_by_the_next_start(
    open_house: OpenHouse,
):
    messenger = FakeMessenger()
    async with open_house(messenger=messenger) as house:
        await house.start()

        async def closed(*_: object) -> None:
            messenger.is_away = True
            raise Undeliverable("the message is gone")

        messenger.reachable = False
        messenger.deliver = messenger.progress = closed
        job = await house.submit()
        ended = await house.until_status(job, JobStatus.UNDELIVERABLE)
        await house.until_idle()
        assert not ended.end_notified
        assert not (await house.fetch(job)).end_notified
    messenger = FakeMessenger()
    messenger.reachable = False
    async with open_house(messenger=messenger) as after:
        await after.services.recovery.run()
        assert messenger.told == [(job.job_id, say(ended.reason))]
        assert (await after.fetch(job)).end_notified


async def test_delivery_waits_for_discord_to_come_back(house: House):
    house.services.dispatcher._deliverer._again_seconds = 0.001
    tries = 0
    post = house.messenger.deliver

    async def away(job: Job, delivery: Delivery) -> int | None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise Unreachable("connection refused")
        return await post(job, delivery)

    house.messenger.deliver = away
    job = await house.submit()
    done = await house.until_status(job, JobStatus.DELIVERED)
    assert (tries, done.message_id) == (4, 900_000 + job.job_id)


async def test_other_messages_move_while_deliveries_wait_for_discord_to_come_back(house: House):
    house.services.status_messages._pacing = Pacing(0.0, window_seconds=0.4)
    tries = 0

    async def away(job: Job, delivery: Delivery) -> int | None:
        nonlocal tries
        tries += 1
        raise Unreachable("connection reset")

    house.messenger.deliver = away
    for _ in range(5):
        job = await house.submit()
    await house.until(lambda: tries == 5)
    other = replace(job, job_id=99)
    house.services.status_messages.post(other, InProgress(1, 9))
    await house.until(lambda: house.messenger.updates_of(99), within=3.0)


def break_disk(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "open":
        open_ = Path.open
        monkeypatch.setattr(
            Path,
            "open",
            lambda path, *args, **more: (
                full() if path.name == "3.png" else open_(path, *args, **more)
            ),
        )
    else:
        monkeypatch.setattr(Path, where, full)


@pytest.mark.parametrize("where", ["write_bytes", "open", "rename", "mkdir"])
async def test_full_disk_fails_the_job_with_a_sentence_and_leaves_no_half_written_folder(
    house: House, monkeypatch: pytest.MonkeyPatch, where: str
):
    with monkeypatch.context() as broken:
        break_disk(broken, where)
        job = await house.submit()
        ended = await house.until_status(job, JobStatus.FAILED)
        await house.until_idle()
    assert "could not be saved (No space left on device), so nothing was charged" in say(
        ended.reason
    )
    assert (ended.attempt, ended.cost) == (1, 0.0)
    assert house.messenger.updates_of(job.job_id)[-1] == Ended()
    folder = house.services.writer.folder_of(0).parent
    assert not folder.exists() or list(folder.iterdir()) == []
    assert await house.services.jobs.list_pictures(job.job_id) == []
    await check_use_is_on_record(house)
    await house.until_status(await house.submit(), JobStatus.DELIVERED)


async def test_record_that_is_full_for_a_moment_does_not_stop_the_line(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    """If the row cannot be marked as running, the job stays in the queue and is tried again."""
    monkeypatch.setattr("bot.jobs.dispatcher.STORE_RETRY_SECONDS", 0.005)
    mark, refusals = JobRepository.mark_running, iter(range(3))

    async def full_at_first(jobs: JobRepository, job: Job, *, now: float) -> Job | None:
        for _ in refusals:
            raise StoreError("The disk is full.")
        return await mark(jobs, job, now=now)

    monkeypatch.setattr(JobRepository, "mark_running", full_at_first)
    job = await house.submit()
    done = await house.until_status(job, JobStatus.DELIVERED)
    assert done.attempt == 1
    await house.until_idle()
    await check_use_is_on_record(house)


async def test_drawn_pictures_wait_for_another_program_that_holds_the_database(
    open_house: OpenHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.store.patience.LOCKED_SECONDS", 0.01)
    is_drawn, may_finish = threading.Event(), threading.Event()

    def hold_back(request: GenerationRequest) -> None:
        is_drawn.set()
        may_finish.wait(10)

    async with open_house(FakeEngine(flaw=hold_back)) as house:
        house.drawing = asyncio.create_task(house.services.dispatcher.run())
        job = await house.submit()
        await house.until(is_drawn.is_set)
        with closing(sqlite3.connect(tmp_path / "data" / DATABASE_FILE_NAME)) as other:
            other.execute("BEGIN IMMEDIATE")
            may_finish.set()
            await house.until(lambda: pictures(house, job))  # the row is what they wait for now
            await asyncio.sleep(0.1)
            assert (await house.fetch(job)).status is JobStatus.RUNNING
            other.rollback()
        done = await house.until_status(job, JobStatus.DELIVERED)
    assert done.attempt == 1


async def test_member_is_told_even_if_the_end_cannot_be_recorded(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The disk is full for pictures and database; still nobody waits for ever."""

    async def full(*_: object, **__: object) -> None:
        raise StoreError("The disk with the database is full.")

    caplog.set_level(logging.CRITICAL)
    with monkeypatch.context() as broken:
        break_disk(broken, "open")
        broken.setattr(JobRepository, "mark_ended", full)
        job = await house.submit()
        await house.until(lambda: Ended() in house.messenger.updates_of(job.job_id))
        await house.until_idle()
    shown = house.messenger.shown[-1][2]
    assert shown.status is JobStatus.FAILED
    assert "could not be saved" in say(shown.reason)
    assert (await house.fetch(job)).status is JobStatus.RUNNING  # the next start takes care of it


async def test_grid_that_is_posted_stays_even_if_its_delivery_cannot_be_recorded(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def full(*_: object, **__: object) -> None:
        raise StoreError("The disk with the database is full.")

    with monkeypatch.context() as broken:
        broken.setattr(JobRepository, "mark_delivered", full)
        broken.setattr(JobRepository, "mark_ended", full)
        job = await house.submit()
        await house.until(lambda: house.messenger.delivered)
        await house.until_idle()
    assert Ended() not in house.messenger.updates_of(job.job_id)
    assert (await house.fetch(job)).status is JobStatus.RENDERED
    assert "delivered again at the next start" in caplog.text
    await check_use_is_on_record(house)


async def test_flagged_picture_is_hidden_in_its_file_and_in_the_grid_and_the_others_are_not(
    open_house: OpenHouse,
):
    engine = FakeEngine(flagged=lambda request: (False, True, None))
    async with open_house(engine) as house:
        await house.start()
        job = await house.submit(seed=200, width=128, height=64)
        await house.until_status(job, JobStatus.DELIVERED)
        folder = house.services.writer.folder_of(job.job_id)
        tiles = [np.asarray(Image.open(folder / f"{n}.png")) for n in (1, 2, 3)]
        grid = np.asarray(Image.open(folder / "grid.png"))
        assert (tiles[0] == 200).all()
        assert (tiles[2] == 202).all()
        assert not (tiles[1] == 201).all(axis=2).any()
        assert not (grid == 201).all(axis=2).any()
        assert (grid == 200).all(axis=2).sum() == (grid == 202).all(axis=2).sum() == 384 * 192
        verdicts = house.messenger.delivered[0][1].verdicts
        assert [verdict.shown for verdict in verdicts] == [True, False, True]
        stored = await house.services.jobs.list_pictures(job.job_id)
        assert [file.verdict for file in stored[1:]] == list(verdicts)


@pytest.mark.usefixtures("marked")
async def test_words_in_a_hidden_picture_are_in_the_language_of_the_server(
    open_house: OpenHouse,
):
    async with open_house(FakeEngine(flagged=lambda request: (False, True, None))) as house:
        await house.start()
        origin = replace(house.origin(), locale="de", guild_locale="pl")
        job = await house.submit(origin=origin, width=128, height=64)
        await house.until_status(job, JobStatus.DELIVERED)
        drawn = np.asarray(Image.open(house.services.writer.folder_of(job.job_id) / "2.png"))
    for locale, is_drawn in (("pl", True), ("de", False), ("en-US", False)):
        with speaking(locale):
            said = np.asarray(compose_hidden_tile((128, 64), TILE_HIDDEN))
        assert np.array_equal(said, drawn) is is_drawn


async def test_place_reasons_and_progress_are_shown_and_the_cancelled_place_moves_up(
    open_house: OpenHouse,
):
    async with open_house(FakeEngine(step_seconds=0.01)) as house:
        house.services.status_messages._pacing = Pacing(0.0, max_edits=10_000)
        await house.start()
        running = await house.submit(num_inference_steps=30)
        await house.until(lambda: house.services.waitlist.running)
        second, third = await house.submit(), await house.submit()
        await house.until(lambda: house.places_shown(third))
        assert house.places_shown(third)[-1].place.position == 2
        await house.services.dispatcher.cancel(second.job_id)
        await house.until(lambda: house.places_shown(third)[-1].place.position == 1)
        await house.until_status(running, JobStatus.DELIVERED)
        steps = [u for u in house.messenger.updates_of(running.job_id) if isinstance(u, InProgress)]
        assert len(steps) > 1
        assert [u.step for u in steps] == sorted({u.step for u in steps})
        assert all(update.num_steps == 30 for update in steps)


async def test_unreachable_message_does_not_stop_the_drawing(house: House):
    house.messenger.reachable = False
    job = await house.submit()
    await house.until_status(job, JobStatus.UNDELIVERABLE)
    house.messenger.reachable = True
    await house.until_status(await house.submit(), JobStatus.DELIVERED)


async def test_fifty_prompts_of_many_people_are_all_delivered_and_all_charged(
    open_house: OpenHouse,
):
    async with open_house() as house:
        await house.start()
        jobs = await asyncio.gather(
            *(house.submit(origin=house.origin(n % 11, guild_id=n % 3)) for n in range(50))
        )
        for job in jobs:
            await house.until_status(job, JobStatus.DELIVERED)
        await house.until_idle()
        assert len(house.engine.drawn) == len(house.messenger.delivered) == 50
        await check_use_is_on_record(house)


async def test_job_cancelled_at_any_moment_ends_exactly_once(open_house: OpenHouse):
    """If a job is cancelled after 0, 1, 2 … turns of the loop, it is cancelled or delivered, never
    both.
    """
    async with open_house(FakeEngine(step_seconds=0.0005)) as house:
        await house.start()
        outcomes = []
        for turns in range(0, 120, 4):
            caller = FakeCaller()
            job = await house.submit(caller=caller, num_inference_steps=2)
            for _ in range(turns):
                await asyncio.sleep(0)
            ended = await house.services.dispatcher.cancel(job.job_id)
            await house.until_idle()
            found = await house.fetch(job)
            outcomes.append(found.status)
            was_delivered = any(j.job_id == job.job_id for j, _ in house.messenger.delivered)
            assert was_delivered is (ended is None)
            assert found.status is (JobStatus.CANCELLED if ended else JobStatus.DELIVERED)
            await check_use_is_on_record(house)
        assert JobStatus.CANCELLED in outcomes


async def test_updates_of_a_job_end_with_its_end(house: House):
    """In whatever order the threads run, no place or progress is shown after the grid."""
    order: list[tuple[int, str]] = []
    progress, deliver = house.messenger.progress, house.messenger.deliver

    async def note_progress(job: Job, update: Update) -> None:
        order.append((job.job_id, type(update).__name__))
        await progress(job, update)

    async def note_delivery(job: Job, delivery: Delivery) -> int | None:
        order.append((job.job_id, "Delivery"))
        return await deliver(job, delivery)

    house.messenger.progress, house.messenger.deliver = note_progress, note_delivery
    house.services.status_messages._pacing = Pacing(0.0, max_edits=10_000)
    jobs = await asyncio.gather(*(house.submit() for _ in range(8)))
    for job in jobs:
        await house.until_status(job, JobStatus.DELIVERED)
    await house.until_idle()
    for job in jobs:
        own = [what for job_id, what in order if job_id == job.job_id]
        assert own[-1] == "Delivery"
        assert own.count("Delivery") == 1
        if Waiting.__name__ in own and InProgress.__name__ in own:
            assert own.index(InProgress.__name__) > own.index(Waiting.__name__)


async def test_device_that_hangs_ends_the_process_and_its_job_is_drawn_by_the_next_one(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("bot.engine.fleet.watchdog.HUNG_SECONDS", 0.5)
    monkeypatch.setattr("bot.engine.fleet.watchdog.FIRST_STEP_SECONDS", 0.5)
    hangs = threading.Event()

    def hang(request: GenerationRequest) -> None:
        hangs.wait(10)

    async with open_house(FakeEngine(flaw=hang)) as house:
        await house.start()
        job = await house.submit("dog")
        assert house.drawing is not None
        with pytest.raises(EngineLost, match="not finished a step"):
            await asyncio.wait_for(house.drawing, 10)
        assert (await house.fetch(job)).status is JobStatus.RUNNING
        hangs.set()
        house.drawing = None
