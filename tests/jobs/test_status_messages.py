"""Messages are edited rarely, always to the newest state, and end with the last state."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from bot.domain.jobs import Job, JobStatus, Origin
from bot.domain.recipes import Recipe
from bot.jobs.ports import Ended, InProgress, Undeliverable, Unreachable, Update, Waiting
from bot.jobs.queue.places import Place, PlaceReason
from bot.jobs.status_messages import Pacing, StatusMessages
from bot.texts.reasons import Reason
from tests.conftest import FakeMessenger

pytestmark = pytest.mark.virtual_time

INTERVAL = 0.02


def now() -> float:
    return asyncio.get_running_loop().time()


def make_job(job_id: int = 1) -> Job:
    recipe = Recipe("dog", "", (1, 2, 3))
    return Job(job_id, Origin(1), recipe, JobStatus.RUNNING, 1.0, 1.0, 0.0)


class TimedMessenger(FakeMessenger):
    """Also records when edits began and ended, and how many ran at once."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[tuple[int, float, float]] = []
        self.under_way = 0
        self.most_under_way = 0

    async def progress(self, job: Job, update: Update) -> None:
        began = now()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await super().progress(job, update)
        finally:
            self.under_way -= 1
        self.times.append((job.job_id, began, now()))


@pytest.fixture
def messenger() -> TimedMessenger:
    return TimedMessenger()


@pytest.fixture
def status_messages(messenger: TimedMessenger) -> StatusMessages:
    return StatusMessages(messenger, Pacing(INTERVAL, max_edits=10_000))


async def settle() -> None:
    await asyncio.sleep(3 * INTERVAL)


async def test_first_state_is_shown_at_once(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    status_messages.post(make_job(), InProgress(0, 9))
    await asyncio.sleep(0.001)
    assert messenger.updates_of(1) == [InProgress(0, 9)]
    await status_messages.close()


async def test_states_overtaken_before_their_turn_are_never_shown(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    for step in range(5):
        status_messages.post(make_job(), InProgress(step, 9))
        await asyncio.sleep(0)
    await settle()
    shown = messenger.updates_of(1)
    assert shown[-1] == InProgress(4, 9)
    assert len(shown) <= 2
    await status_messages.close()


async def test_edits_of_one_message_are_an_interval_apart_and_newest_first(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    messenger.edit_seconds = 0.003
    for step in range(100):
        status_messages.post(make_job(), InProgress(step, 100))
        await asyncio.sleep(0.001)
    await settle()
    await status_messages.close()
    steps = [update.step for update in messenger.updates_of(1)]
    assert steps == sorted(set(steps))
    assert steps[-1] == 99
    gaps = [
        later[1] - earlier[2]
        for earlier, later in zip(messenger.times, messenger.times[1:], strict=False)
    ]
    assert len(gaps) >= 2
    assert all(gap >= INTERVAL * 0.95 for gap in gaps)


async def test_unchanged_state_is_not_shown_again(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    for _ in range(3):
        status_messages.post(make_job(), InProgress(1, 9))
        await settle()
    assert messenger.updates_of(1) == [InProgress(1, 9)]
    await status_messages.close()


async def test_last_edit_is_last_even_if_one_is_under_way_and_one_waits(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    messenger.edit_seconds = 0.01
    status_messages.post(make_job(), InProgress(1, 9))
    await asyncio.sleep(0.001)
    status_messages.post(make_job(), InProgress(2, 9))
    await status_messages.finish(make_job())
    await settle()
    assert messenger.updates_of(1) == [InProgress(1, 9), Ended()]


async def test_finishing_waits_for_the_edit_under_way(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    messenger.edit_seconds = 0.01
    status_messages.post(make_job(), InProgress(1, 9))
    await asyncio.sleep(0.001)
    async with status_messages.finishing(make_job()):
        assert messenger.under_way == 0
    assert messenger.updates_of(1) == [InProgress(1, 9)]


async def test_messages_do_not_wait_for_each_others_interval_and_few_move_at_once(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    messenger.edit_seconds = 0.001
    for job_id in range(10):
        status_messages.post(make_job(job_id), InProgress(1, 9))
    await asyncio.sleep(INTERVAL * 5)
    assert {job_id for job_id, *_ in messenger.times} == set(range(10))
    assert messenger.most_under_way <= 2
    await status_messages.close()


async def test_finish_does_not_wait_for_a_turn_among_the_others(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    messenger.edit_seconds = 0.01
    for job_id in range(2, 40):
        status_messages.post(make_job(job_id), InProgress(1, 9))
    await asyncio.sleep(0)
    await status_messages.finish(make_job(1))
    assert len(messenger.shown) < 10
    await status_messages.close()


async def test_message_out_of_reach_is_not_an_error(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    messenger.reachable = False
    status_messages.post(make_job(), InProgress(1, 9))
    await settle()
    messenger.reachable = True
    status_messages.post(make_job(), InProgress(2, 9))
    await settle()
    assert messenger.updates_of(1) == [InProgress(2, 9)]
    await status_messages.close()


async def test_fault_in_one_edit_does_not_stop_the_last_one(
    status_messages: StatusMessages, messenger: TimedMessenger, caplog: pytest.LogCaptureFixture
):
    """If one state cannot be composed because of a bug, the message must still show the end."""
    progress = messenger.progress

    async def broken_at_first(job: Job, update: Update) -> None:
        if update == InProgress(1, 9):
            raise KeyError("a bug")
        await progress(job, update)

    messenger.progress = broken_at_first
    status_messages.post(make_job(), InProgress(1, 9))
    await settle()
    await status_messages.finish(make_job())
    assert messenger.updates_of(1) == [Ended()]


async def test_closed_board_moves_nothing_more(
    status_messages: StatusMessages, messenger: TimedMessenger
):
    status_messages.post(make_job(1), InProgress(1, 9))
    status_messages.post(make_job(2), InProgress(1, 9))
    await status_messages.close()
    await settle()
    assert len(messenger.shown) <= 2
    assert len(asyncio.all_tasks()) == 1


def make_waiting(position: int) -> Waiting:
    return Waiting(Place(position, 1, 0, PlaceReason.CAME_FIRST, float(position)))


async def test_edits_of_one_channel_are_limited_and_those_in_front_move_more_often(
    messenger: TimedMessenger,
):
    window = 0.5
    status_messages = StatusMessages(messenger, Pacing(0.01, window, max_edits=12, for_finished=2))
    began = now()
    moment = 0
    while now() - began < 6 * window:
        moment += 1
        for job_id in range(1, 9):
            wait = float(1000 * job_id + moment)
            place = Place(job_id, 1, 0, PlaceReason.CAME_FIRST, wait)
            status_messages.post(make_job(job_id), Waiting(place))
        await asyncio.sleep(0.005)
    await status_messages.close()
    times = [begun for _, begun, _ in messenger.times]
    most = max(sum(t <= other < t + window for other in times) for t in times)
    assert most <= 10
    edits = [len(messenger.updates_of(job_id)) for job_id in range(1, 9)]
    assert min(edits) >= 1
    assert edits[0] >= 1.5 * edits[-1], edits


async def test_edits_that_arrive_late_or_at_once_are_not_too_many_in_any_window():
    """Five uploads arrive only when they end, later than a window after their start. Edits arrive
    at once.
    """
    window, arrivals = 0.4, []

    class PromptMessenger(FakeMessenger):
        async def progress(self, job: Job, update: Update) -> None:
            arrivals.append(now())

    status_messages = StatusMessages(
        PromptMessenger(), Pacing(0.001, window, max_edits=10, for_finished=2)
    )

    async def upload(job_id: int) -> None:
        async with status_messages.finishing(make_job(job_id)):
            await asyncio.sleep(1.5 * window)
            arrivals.append(now())

    uploads = [asyncio.create_task(upload(100 + n)) for n in range(5)]
    began = now()
    for moment in itertools.count():
        if now() - began > 4 * window:
            break
        for job_id in range(1, 9):
            status_messages.post(make_job(job_id), InProgress(moment, 10**6))
        await asyncio.sleep(0.005)
    await asyncio.gather(*uploads)
    await status_messages.close()
    assert len(arrivals) > 10, "the others moved"
    assert max(sum(t <= other < t + window for other in arrivals) for t in arrivals) <= 10


async def test_channel_has_25_edits_a_minute_and_a_message_one_in_three_seconds():
    pacing = Pacing()
    assert (pacing.max_edits, pacing.window_seconds, pacing.interval_seconds) == (25, 60.0, 3.0)
    messenger = FakeMessenger()
    status_messages = StatusMessages(messenger)
    for n in range(100):
        await status_messages.finish(make_job(100 + n))
    status_messages.post(make_job(1), InProgress(1, 9))
    await settle()
    assert messenger.updates_of(1) == [], "the pacing of the board that was given none"
    await status_messages.close()


async def test_pictures_on_their_way_count_until_they_are_posted(messenger: TimedMessenger):
    status_messages = StatusMessages(
        messenger, Pacing(0.01, window_seconds=0.3, max_edits=2, for_finished=1)
    )
    async with status_messages.finishing(make_job(1)):
        status_messages.post(make_job(2), InProgress(1, 9))
        await asyncio.sleep(0.4)
        assert messenger.updates_of(2) == []
    posted = now()
    await asyncio.sleep(0.5)
    [(_, began, _)] = messenger.times
    assert began >= posted + 0.3
    await status_messages.close()


async def test_finished_pictures_wait_for_nobody_and_take_from_the_others(
    messenger: TimedMessenger,
):
    status_messages = StatusMessages(
        messenger, Pacing(0.01, window_seconds=30, max_edits=6, for_finished=2)
    )
    for job_id in range(10):
        await status_messages.finish(make_job(100 + job_id))
    assert len(messenger.times) == 10
    status_messages.post(make_job(1), make_waiting(1))
    await settle()
    assert messenger.updates_of(1) == []
    await status_messages.close()


async def test_channels_do_not_wait_for_each_other(messenger: TimedMessenger):
    status_messages = StatusMessages(
        messenger, Pacing(0.01, window_seconds=30, max_edits=2, for_finished=1)
    )
    for job_id in range(5):
        job = make_job(job_id)
        status_messages.post(
            replace(job, origin=replace(job.origin, channel_id=job_id)), InProgress(1, 9)
        )
    async with asyncio.timeout(10):  # in one channel, this would take 60 s
        while {job_id for job_id, *_ in messenger.times} != set(range(5)):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await status_messages.close()


async def test_member_is_written_to_until_discord_takes_it_where_the_message_cannot_say_it(
    messenger: TimedMessenger,
):
    on_record: list[int] = []

    async def mark_end_notified(job_id: int) -> None:
        on_record.append(job_id)

    status_messages = StatusMessages(
        messenger, Pacing(again_seconds=0.01), mark_end_notified=mark_end_notified
    )
    tell, tries = messenger.tell, 0

    async def away_at_first(job: Job, reason: Reason | None) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unreachable("no answer")
        await tell(job, reason)

    messenger.reachable = False
    messenger.tell = away_at_first
    await status_messages.finish(make_job())
    assert (tries, on_record) == (1, [])
    async with asyncio.timeout(10):
        while not on_record:  # noqa: ASYNC110 - a list of this test's own
            await asyncio.sleep(0.001)
    assert (tries, on_record, messenger.told) == (3, [1], [(1, "No reason was stored.")])
    await status_messages.close()


async def test_member_whom_nobody_can_be_told_is_not_tried_for_ever(messenger: TimedMessenger):
    on_record: list[int] = []

    async def mark_end_notified(job_id: int) -> None:
        on_record.append(job_id)

    async def closed(job: Job, reason: Reason | None) -> None:
        raise Undeliverable("they take no direct messages")

    status_messages = StatusMessages(
        messenger, Pacing(again_seconds=0.01), mark_end_notified=mark_end_notified
    )
    messenger.reachable = False
    messenger.tell = closed
    assert await status_messages.try_finish(make_job())
    assert on_record == [1]
