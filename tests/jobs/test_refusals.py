"""After many refused prompts, a member's next prompts cost little. Others are not affected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.jobs import JobStatus, Origin, Source
from bot.domain.recipes import Upload
from bot.errors import UserError
from bot.policy.prompts import PromptGate
from tests.conftest import GUILD, MEMBER, Clock, FakeCaller, House, OpenHouse

ALLOWED = {"blocked_words": ("kale",), "max_refused_per_member_per_hour": 12}  # three at once


async def count_rows(house: House) -> int:
    return len(await house.services.jobs.list_by_status(*JobStatus))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list of the prompts that the gate has judged."""
    judge, prompts = PromptGate.judge, []

    async def note(gate: PromptGate, origin: Origin, prompt: str, *rest: Any) -> Any:
        prompts.append(prompt)
        return await judge(gate, origin, prompt, *rest)

    monkeypatch.setattr(PromptGate, "judge", note)
    return prompts


async def test_prompts_after_too_many_refused_are_not_read_and_leave_no_row(
    open_house: OpenHouse, judged: list[str]
):
    clock, caller = Clock(), FakeCaller()
    async with open_house(clock=clock, **ALLOWED) as house:
        await house.load_model()
        for _ in range(3):
            await house.submit("kale")
        for prompt in ("kale", "kale", "dog"):
            with pytest.raises(UserError, match=f"did not read this one.*<t:{clock.now + 300:.0f}"):
                await house.submit(prompt, caller=caller)
        assert (caller.journal, judged, await count_rows(house)) == ([], ["kale"] * 3, 3)
        assert (await house.submit("dog", house.origin(MEMBER + 1))).status is JobStatus.QUEUED
        clock.now += 301
        assert (await house.submit("dog")).status is JobStatus.QUEUED


async def test_a_hundred_at_once_are_bounded_as_well(open_house: OpenHouse, judged: list[str]):
    async with open_house(**ALLOWED) as house:
        await house.load_model()
        sent = (house.submit("kale") for _ in range(100))
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        assert sum(isinstance(outcome, UserError) for outcome in outcomes) == 97
        assert await count_rows(house) == 3
        assert len(judged) < 20


async def test_prompts_that_are_taken_use_nothing_up(open_house: OpenHouse):
    async with open_house(**ALLOWED) as house:
        await house.load_model()
        jobs = await asyncio.gather(*(house.submit("dog") for _ in range(40)))
        assert {job.status for job in jobs} == {JobStatus.QUEUED}
        assert (await house.submit("kale")).status is JobStatus.REFUSED


async def test_owner_in_the_terminal_may_be_refused_as_often_as_they_like(open_house: OpenHouse):
    async with open_house(**ALLOWED) as house:
        for _ in range(10):
            origin = Origin(source=Source.TERMINAL)
            assert (await house.submit("kale", origin)).status is JobStatus.REFUSED


async def test_moderators_read_how_many_were_refused_unread(open_house: OpenHouse):
    async with open_house(**ALLOWED) as house:
        await house.load_model()
        for _ in range(3):
            await house.submit("kale")
        for _ in range(40):
            with pytest.raises(UserError):
                await house.submit("kale")
        with pytest.raises(UserError):
            await house.submit("kale", house.origin(guild_id=GUILD + 1))
        for _ in range(2):  # the second time, there is nothing new
            await house.services.intake.refusals.write_down()
        [entry, *before] = await house.services.audit.search(GUILD)
        assert (entry.action, entry.member_id, entry.prompt) == ("prompts_not_read", MEMBER, "")
        assert entry.reason is not None
        assert entry.reason.params == {"count": 40}
        assert [each.action for each in before] == ["prompt_refused"] * 3
        assert len(await house.services.audit.search(GUILD + 1)) == 1


class Sender(FakeCaller):
    """A member who sends a file that is not a picture."""

    async def fetch_upload(self, upload: Upload) -> bytes:
        return b"GIF89a"


async def test_pictures_that_are_refused_count_as_well(open_house: OpenHouse):
    async with open_house(**ALLOWED) as house:
        await house.load_model()
        for _ in range(3):
            job = await house.submit("dog", caller=Sender(), upload=Upload("", 6))
            assert job.status is JobStatus.REFUSED
        with pytest.raises(UserError, match="did not read this one"):
            await house.submit("dog")
