"""The texts of one server never delay another server's texts, or a stop of the bot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.domain.audit import AuditAction
from bot.domain.jobs import Ancestry, Job, JobStatus
from bot.domain.rules import Rule, RuleKind, Verdict
from bot.errors import WorkerUnavailable
from bot.moderation import NO_RULES, PromptPolicy, RuleBook, judge_by
from bot.moderation.classes import NO_ANCESTRY
from bot.policy.reading import ReadingRoom
from bot.texts.reasons import own_words, say
from tests.conftest import GUILD, MEMBER, FakeCaller, House, OpenHouse

MODERATOR = MEMBER + 100


class BlockingPolicy(PromptPolicy):
    """A policy that blocks at "slow" until it is released. It remembers the prompts it got."""

    def __init__(self) -> None:
        super().__init__(blocked_words=["kale"])
        self.released = threading.Event()
        self.asked: list[str] = []
        self.judging = 0

    def judge(
        self,
        prompt: str,
        negative_prompt: str,
        own: RuleBook = NO_RULES,
        ancestry: Ancestry = NO_ANCESTRY,
    ) -> Verdict:
        self.asked.append(prompt)
        if prompt == "slow":
            self.judging += 1
            assert self.released.wait(60)
        return super().judge(prompt, negative_prompt, own, ancestry)


@pytest.fixture
async def policy(quiet_house: House) -> AsyncIterator[BlockingPolicy]:
    policy = BlockingPolicy()
    quiet_house.services.gate._policy = policy
    yield policy
    policy.released.set()


async def test_one_servers_prompts_however_many_leave_room_for_another(
    quiet_house: House, policy: BlockingPolicy
):
    slow = [asyncio.create_task(quiet_house.submit("slow")) for _ in range(100)]
    await quiet_house.until(lambda: policy.judging)
    async with asyncio.timeout(10):
        elsewhere = quiet_house.origin(guild_id=GUILD + 1)
        assert (await quiet_house.submit("dog", elsewhere)).status is JobStatus.QUEUED
        direct = quiet_house.origin(guild_id=None)
        assert (await quiet_house.submit("dog", direct)).status is JobStatus.QUEUED
    assert policy.judging == 1
    policy.released.set()
    assert {job.status for job in await asyncio.gather(*slow)} == {
        JobStatus.QUEUED,
        JobStatus.REFUSED,  # refused because of the quota
    }


async def test_members_in_direct_messages_do_not_wait_for_one_another(
    quiet_house: House, policy: BlockingPolicy
):
    origin = quiet_house.origin(guild_id=None)
    slow = asyncio.create_task(quiet_house.submit("slow", origin))
    await quiet_house.until(lambda: policy.judging)
    other = quiet_house.origin(MEMBER + 1, guild_id=None)
    async with asyncio.timeout(10):
        assert (await quiet_house.submit("dog", other)).status is JobStatus.QUEUED
    policy.released.set()
    await slow


async def test_who_is_cancelled_while_a_thread_works_does_not_get_another_thread():
    room, release, begun = ReadingRoom(), threading.Event(), list[int]()

    def work() -> None:
        begun.append(1)
        assert release.wait(60)

    for _ in range(3):
        reading = asyncio.create_task(room.run(1, work))
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert await room.run(2, str, 5) == "5"
    assert len(begun) == 1
    release.set()
    assert await room.run(1, str, 6) == "6"
    room.close()


async def test_closed_room_sends_away_who_waits_and_takes_nothing_more():
    room, release, begun = ReadingRoom(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert release.wait(60)

    reading = [asyncio.create_task(room.run(1, work)) for _ in range(3)]
    await asyncio.to_thread(begun.wait, 10)
    room.close()
    async with asyncio.timeout(10):
        for waiting in reading[1:]:
            with pytest.raises(WorkerUnavailable):
                await waiting
    with pytest.raises(WorkerUnavailable):
        await room.run(2, str, 5)
    release.set()
    await reading[0]


async def test_stop_answers_prompts_that_wait_to_be_judged(
    quiet_house: House, policy: BlockingPolicy
):
    callers = [FakeCaller() for _ in range(8)]
    slow = [asyncio.create_task(quiet_house.submit("slow", caller=caller)) for caller in callers]
    await quiet_house.until(lambda: policy.judging)
    quiet_house.services.intake.draining = True
    quiet_house.services.reading.close()
    await quiet_house.until(lambda: sum(bool(caller.refusals) for caller in callers) == 7)
    assert all("about to restart" in said for caller in callers for said in caller.refusals)
    policy.released.set()
    jobs = await asyncio.gather(*slow)
    assert [job.status for job in jobs].count(JobStatus.REFUSED) == 7


async def change(house: House, name: str, value: Any) -> None:
    await house.services.settings.change(
        GUILD, name, value, actor_id=MODERATOR, now=house.clock.now
    )


async def refused(
    house: House,
    policy: BlockingPolicy,
    prompt: str = "kale",
    caller: FakeCaller | None = None,
    **ask: Any,
) -> Job:
    """Submit a prompt with a blocked word, which must be refused without being judged."""
    policy.asked.clear()
    job = await house.submit(prompt, caller=caller, **ask)
    assert job.status is JobStatus.REFUSED
    assert policy.asked == []
    assert (job.rules_version, job.cost_estimate) == (0, 0.0)
    return job


async def test_nothing_is_judged_that_is_refused_already(
    quiet_house: House, policy: BlockingPolicy
):
    house = quiet_house
    assert "“kale”" in say((await house.submit("kale")).reason)
    assert policy.asked == ["kale"]
    entries = await house.services.audit.search(GUILD)
    assert "5,999 characters" in say((await refused(house, policy, prompt="kale " * 1200)).reason)
    assert "sampler" in say((await refused(house, policy, sampler="magic")).reason)
    await change(house, "is_paused", True)
    assert "paused Triptych" in say((await refused(house, policy)).reason)
    await change(house, "is_paused", False)
    house.services.intake.draining = True
    assert "about to restart" in say((await refused(house, policy)).reason)
    house.services.intake.draining = False
    found = await house.services.audit.search(GUILD)
    assert [entry for entry in found if entry.action is AuditAction.PROMPT_REFUSED] == entries


async def test_nothing_is_judged_for_which_the_quota_has_no_room(open_house: OpenHouse):
    async with open_house(max_waiting_per_member=1) as house:
        await house.load_model()
        house.services.gate._policy = policy = BlockingPolicy()
        await house.submit("dog")
        assert "You already have 1 prompt in the queue" in say(
            (await refused(house, policy)).reason
        )


async def test_nothing_is_judged_of_a_suspended_member_who_may_appeal(
    quiet_house: House, policy: BlockingPolicy
):
    await quiet_house.services.sanctions.suspend(
        GUILD, MEMBER, by=MODERATOR, reason=own_words("Spam.")
    )
    caller = FakeCaller()
    job = await refused(quiet_house, policy, caller=caller)
    assert (job.rule, caller.appeals) == ("suspended", [True])
    await change(quiet_house, "is_paused", True)
    await refused(quiet_house, policy, caller=caller)
    assert caller.appeals == [True, True]


async def test_preview_lets_prompts_come_in_between(
    quiet_house: House, policy: BlockingPolicy, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(5):
        await quiet_house.submit("dog")
    judged: list[int] = []

    def judge_slowly(*texts: Any) -> Verdict:
        judged.append(len(policy.asked))
        assert policy.released.wait(60)
        return judge_by(*texts)

    monkeypatch.setattr("bot.policy.rule_editor.judge_by", judge_slowly)
    editor, gate = quiet_house.services.guilds.rule_editor, quiet_house.services.gate
    rule = Rule(RuleKind.WORD, "dog")
    preview = asyncio.create_task(editor.preview(GUILD, rule, gate.is_sealed))
    await quiet_house.until(lambda: judged)
    prompt = asyncio.create_task(quiet_house.submit("a cat"))
    await quiet_house.until(lambda: quiet_house.services.gate._room._turns._waiting)
    policy.released.set()
    assert len((await preview).met) == 5
    await prompt
    assert judged == [5, 6, 6, 6, 6]
