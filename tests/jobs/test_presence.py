"""Prompts of members who have left the server are neither drawn to the end nor posted."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.jobs import Job, JobStatus, Source
from bot.jobs import presence
from bot.texts.reasons import say
from tests.conftest import MEMBER, FakeMessenger, House, OpenHouse
from tests.fakes.engine import FakeEngine
from tests.jobs.test_dispatcher import check_use_is_on_record

LONG = presence.FRESH_SECONDS + 1
OTHER = MEMBER + 1


async def wait_long(house: House, prompt: str = "dog", **origin: Any) -> Job:
    """Submit a prompt that has waited so long that Discord is asked about its member."""
    job = await house.submit(prompt, house.origin(**origin))
    house.clock.now += LONG
    return job


async def test_prompt_of_a_departed_member_ends_and_costs_what_was_drawn(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
):
    messenger = FakeMessenger()
    async with open_house(FakeEngine(step_seconds=0.2), messenger=messenger) as house:
        await house.load_model()
        job, other = await wait_long(house), await house.submit("cat", house.origin(OTHER))

        async def has_left(*_: int) -> bool:
            await house.until(lambda: house.services.dispatcher._progress.get(job.job_id))
            return True

        monkeypatch.setattr(messenger, "has_left", has_left)
        await house.start()
        ended = await house.until_status(job, JobStatus.CANCELLED)
        await house.until_status(other, JobStatus.DELIVERED)
        await house.until_idle()
        assert ended.rendered_at is None  # it was not drawn to its end
        assert 0 < ended.cost < ended.cost_estimate
        await check_use_is_on_record(house)
        assert "has left the server" in say(ended.reason)
        assert messenger.removed == [job.job_id]
        assert [done.job_id for done, _ in messenger.delivered] == [other.job_id]
        assert messenger.told == []


async def test_member_who_leaves_while_it_is_drawn_is_not_mentioned(open_house: OpenHouse):
    messenger = FakeMessenger()
    async with open_house(FakeEngine(), messenger=messenger) as house:
        await house.load_model()
        job = await house.submit("dog")
        write = house.services.writer.write

        async def leave(*args: object) -> object:
            house.clock.now += LONG
            messenger.departed.add(MEMBER)
            return await write(*args)  # pyright: ignore[reportArgumentType]

        house.services.writer.write = leave  # pyright: ignore[reportAttributeAccessIssue]
        await house.start()
        ended = await house.until_status(job, JobStatus.CANCELLED)
        await house.until_idle()
        assert (ended.cost, messenger.delivered) == (ended.cost_estimate, [])
        await check_use_is_on_record(house)
        assert not house.services.writer.folder_of(job.job_id).exists()


@pytest.mark.parametrize("trouble", ["away", "slow"])
async def test_question_without_an_answer_holds_nobody_up(
    open_house: OpenHouse, trouble: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(presence, "ANSWER_SECONDS", 0.05)
    messenger = FakeMessenger()
    async with open_house(FakeEngine(), messenger=messenger) as house:
        await house.load_model()
        job = await wait_long(house)
        messenger.departed.add(MEMBER)
        messenger.answer_seconds = 30.0 if trouble == "slow" else 0.0
        messenger.is_away = trouble == "away"
        await house.start()
        await house.until_status(job, JobStatus.DELIVERED)
        assert messenger.asked_about


async def test_nobody_is_asked_about_who_was_there_a_moment_ago_or_is_in_no_server(
    open_house: OpenHouse,
):
    messenger = FakeMessenger()
    async with open_house(FakeEngine(), messenger=messenger) as house:
        await house.load_model()
        places: tuple[dict[str, Any], ...] = (
            {"guild_id": None},
            {"bot_in_channel": False},
            {"source": Source.TERMINAL},
        )
        jobs = [await wait_long(house, **place) for place in places]
        jobs.append(await house.submit("dog"))
        messenger.departed.add(MEMBER)
        await house.start()
        for job in jobs:
            await house.until_status(job, JobStatus.DELIVERED)
        assert messenger.asked_about == []


async def test_few_questions_are_asked(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(presence, "MAX_PER_MINUTE", 3)
    messenger = FakeMessenger()
    async with open_house(messenger=messenger) as house:
        asks = presence.Presence(messenger, house.clock)
        jobs = [await house.submit("dog", house.origin(MEMBER + n)) for n in range(5)]
        house.clock.now += LONG
        for job in jobs * 2:
            assert not await asks.has_left(job)
        assert messenger.asked_about == [MEMBER, MEMBER + 1, MEMBER + 2]
        house.clock.now += LONG
        await asks.has_left(jobs[4])
        assert messenger.asked_about[3:] == [MEMBER + 4]
