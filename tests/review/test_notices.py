"""A member reads what was decided, why, until when, and how to appeal."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from bot.domain.jobs import JobStatus
from bot.domain.review import Decision
from bot.errors import UserError
from bot.texts.reasons import own_words, say
from tests.conftest import GUILD, MEMBER, House
from tests.review.conftest import DAY, MODERATOR, actions, decide, deliver, hold, set_values

TO_MODERATORS = "If you think that this is wrong, write to the moderators of this server."


async def decide_because(house: House, decision: Decision, reason: str) -> None:
    card_id = house.messenger.cards[-1].card.card_id
    await house.services.decisions.decide(card_id, decision, MODERATOR, GUILD, reason)


async def report(house: House) -> None:
    await house.start()
    job = await deliver(house)
    await house.services.reports.take(job.job_id, 1, "ugly", GUILD)


def told(house: House, member: int = MEMBER) -> list[str]:
    return [text for who, text in house.messenger.written if who == member]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, TO_MODERATORS),
        ({"appeal_channel_id": 99}, "If you think that this is wrong, write in <#99>."),
        ({"appeal_line": "Ask Ada.", "appeal_channel_id": 99}, "Ask Ada."),
    ],
    ids=["default", "channel", "own words"],
)
async def test_refused_member_reads_why_and_how_to_appeal(
    open_lane, settings: dict[str, Any], line: str
):
    async with open_lane(**settings) as house:
        job = await hold(house)
        await decide_because(house, Decision.REFUSE, "no vegetables here")
        ended = await house.fetch(job)
        assert say(ended.reason) == (
            "A moderator refused this. Nothing was charged. "
            f"The moderator's reason: no vegetables here\n{line}"
        )
        [refused] = await house.services.audit.search(GUILD, limit=1)
        assert say(refused.reason).endswith("The moderator's reason: no vegetables here")


async def test_refusal_without_a_reason_says_how_to_appeal(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        await decide(house, Decision.REFUSE)
        reason = say((await house.fetch(job)).reason)
        assert reason == f"A moderator refused this. Nothing was charged.\n{TO_MODERATORS}"


async def test_nobody_is_told_to_appeal_what_no_moderator_decided(open_lane):
    async with open_lane(review_hours=1) as house:
        job = await hold(house)
        house.clock.now += DAY
        await house.services.decisions.sweep()
        assert "think that this is wrong" not in say((await house.fetch(job)).reason)


async def test_suspended_member_is_told_why_until_when_and_how_to_appeal(open_lane):
    async with open_lane(suspension_days=2) as house:
        await hold(house)
        await decide_because(house, Decision.SUSPEND, "third time")
        [text] = told(house)
        ends_at = house.clock.now + 2 * DAY
        assert f"pictures in **The Server** until <t:{ends_at:.0f}:f>" in text
        assert "The moderator's reason: third time" in text
        assert text.endswith(TO_MODERATORS)
        assert "press “Appeal”" in text
        await set_values(house, review_channel_id=None)  # nobody would see the appeal there
        await house.services.notices.tell_suspended(GUILD, MEMBER)
        assert "press “Appeal”" not in told(house)[-1]


async def test_struck_member_is_told_why_until_when_how_many_and_how_to_appeal(open_lane):
    async with open_lane(strike_days=10, strikes_to_suspend=2, suspension_days=3) as house:
        await report(house)
        await decide_because(house, Decision.STRIKE, "not for here")
        removed, struck = told(house)
        assert "removed the pictures of your prompt #1" in removed
        lapses_at = house.clock.now + 10 * DAY
        assert f"strike in **The Server**. It expires <t:{lapses_at:.0f}:f>" in struck
        assert "The moderator's reason: not for here" in struck
        assert "1 strike there now; a member with 2 is suspended" in struck
        assert struck.endswith(TO_MODERATORS)
        assert "cannot make pictures" not in struck
        house.clock.now += 1
        await house.services.sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("x"))
        assert await house.services.notices.tell_struck(GUILD, MEMBER)
        until = house.clock.now + 3 * DAY
        assert f"cannot make pictures in **The Server** until <t:{until:.0f}:f>" in told(house)[-1]


async def test_member_whose_pictures_were_removed_is_told_why(open_lane):
    async with open_lane() as house:
        await report(house)
        await decide_because(house, Decision.REMOVE, "not for here")
        [text] = told(house)
        assert "removed the pictures of your prompt #1" in text
        assert "Why: not for here" in text
        assert text.endswith(TO_MODERATORS)


async def test_denied_appeal_says_why(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await sanctions.appeal(GUILD, MEMBER, "I am sorry")
        await decide_because(house, Decision.DENY, "too soon")
        assert told(house) == [
            "Your appeal against your suspension in **The Server** was denied.\nWhy: too soon"
        ]


async def test_notice_comes_once_discord_is_back_also_after_a_stop(open_lane):
    async with open_lane() as house:
        await hold(house)
        house.messenger.is_away = True
        await decide_because(house, Decision.SUSPEND, "third time")
        assert told(house) == []
    async with open_lane() as house:
        await house.services.recovery.run()
        for _ in range(3):
            await house.services.decisions.sweep()
        assert len(told(house)) == 1
        assert "third time" in told(house)[0]


async def test_member_without_direct_messages_holds_no_card_open(open_lane):
    async with open_lane() as house:
        house.messenger.deaf.add(MEMBER)
        job = await hold(house)
        await decide(house, Decision.SUSPEND)
        assert (await house.fetch(job)).status is JobStatus.REFUSED
        assert house.messenger.cards[-1].card.settled_at is None  # in the form that was shown
        assert await house.services.review_cards._cards.list_unsettled_ids() == []
        assert await house.services.notices.tell_suspended(GUILD, MEMBER) is False


async def test_line_that_is_too_long_is_refused(open_lane):
    async with open_lane() as house:
        with pytest.raises(UserError, match="up to 300 characters"):
            await set_values(house, appeal_line="a" * 301)
        assert await actions(house) == []


async def test_strike_says_nothing_of_an_earlier_suspension(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        house.clock.now += 1
        await sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("again"))
        await house.services.notices.tell_struck(GUILD, MEMBER)
        [text] = told(house)
        assert "You got a strike" in text
        assert "cannot make pictures" not in text


async def test_each_strike_is_told_although_a_second_one_came_before_the_first_message(open_lane):
    async with open_lane(strikes_to_suspend=2) as house:
        sanctions, notices = house.services.sanctions, house.services.notices
        job = await house.submit()
        give = partial(sanctions.strike, GUILD, MEMBER, by=MODERATOR)
        await give(reason=own_words("for a picture"), job_id=job.job_id)
        await give(reason=own_words("by command"))
        assert await notices.tell_struck(GUILD, MEMBER, job.job_id)
        assert await notices.tell_struck(GUILD, MEMBER)
        first, second = told(house)
        assert "for a picture" in first
        assert "cannot make pictures" not in first
        assert "by command" in second
        assert "cannot make pictures" in second
