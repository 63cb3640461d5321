"""Strikes, suspensions and appeals."""

from __future__ import annotations

import pytest

from bot.domain.audit import AuditAction
from bot.domain.jobs import JobStatus
from bot.domain.review import Decision
from bot.errors import UserError
from bot.texts.reasons import own_words, say
from tests.conftest import GUILD, MEMBER
from tests.review.conftest import (
    DAY,
    MODERATOR,
    OTHER,
    REVIEW_CHANNEL,
    actions,
    decide,
    set_values,
)


async def test_strikes_suspend_and_lapse(open_lane):
    async with open_lane(strikes_to_suspend=2, strike_days=10, suspension_days=3) as house:
        sanctions = house.services.sanctions
        assert await sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("one")) is None
        house.clock.now += 11 * DAY
        assert await sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("two")) is None
        suspension = await sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("three"))
        assert suspension is not None
        assert suspension.ends_at == house.clock.now + 3 * DAY
        assert "three" in say(suspension.reason)
        assert (await house.submit("dog")).status is JobStatus.REFUSED
        assert (await house.submit("dog", house.origin(OTHER))).status is JobStatus.QUEUED
        assert await actions(house) == [
            *[AuditAction.STRUCK] * 3,
            AuditAction.SUSPENDED,
            AuditAction.PROMPT_REFUSED,
        ]


async def test_strike_that_was_taken_back_does_not_count(open_lane):
    async with open_lane(strikes_to_suspend=2) as house:
        sanctions = house.services.sanctions
        await sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("one"))
        [strike] = await sanctions.list_strikes(GUILD, MEMBER)
        await sanctions.remove_strike(GUILD, MEMBER, strike.strike_id, by=OTHER)
        assert await sanctions.strike(GUILD, MEMBER, by=MODERATOR, reason=own_words("two")) is None
        with pytest.raises(UserError, match="no active strike"):
            await sanctions.remove_strike(GUILD, MEMBER, strike.strike_id, by=OTHER)
        taken_back = [AuditAction.STRUCK, AuditAction.STRIKE_REMOVED, AuditAction.STRUCK]
        assert await actions(house) == taken_back


async def test_granted_appeal_lifts_the_suspension_and_there_is_one(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await sanctions.appeal(GUILD, MEMBER, "I am sorry")
        with pytest.raises(UserError, match="already"):
            await sanctions.appeal(GUILD, MEMBER, "please")
        case = house.messenger.cards[-1]
        assert case.suspension is not None
        assert case.suspension.appeal == "I am sorry"
        await decide(house, Decision.GRANT, by=OTHER)
        assert await sanctions.fetch_suspension(GUILD, MEMBER) is None
        assert house.messenger.written == [
            (MEMBER, "Your appeal against your suspension in **The Server** was granted.")
        ]
        assert (await house.submit("dog")).status is JobStatus.QUEUED
        assert (await actions(house))[-2:] == [
            AuditAction.APPEAL_DECIDED,
            AuditAction.SUSPENSION_LIFTED,
        ]


async def test_granted_appeal_ends_every_suspension_that_holds(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await sanctions.appeal(GUILD, MEMBER, "I am sorry")
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("again"), days=9)
        await sanctions.suspend(GUILD + 1, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await decide(house, Decision.GRANT)
        assert await sanctions.fetch_suspension(GUILD, MEMBER) is None
        assert await sanctions.fetch_suspension(GUILD + 1, MEMBER) is not None


async def test_granted_appeal_against_what_is_over_raises_nothing(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await sanctions.appeal(GUILD, MEMBER, "I am sorry")
        await sanctions.lift(GUILD, MEMBER, by=OTHER, reason=own_words("enough"))
        await decide(house, Decision.GRANT)
        assert (await actions(house))[-1] is AuditAction.APPEAL_DECIDED


async def test_denied_appeal_leaves_the_suspension(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await sanctions.appeal(GUILD, MEMBER, "I am sorry")
        await decide(house, Decision.DENY)
        assert await sanctions.fetch_suspension(GUILD, MEMBER) is not None
        with pytest.raises(UserError, match="already"):
            await sanctions.check_appeal(GUILD, MEMBER)


async def test_appeal_is_not_used_up_where_nobody_could_look(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await set_values(house, review_channel_id=None)
        with pytest.raises(UserError, match="you can still make it later"):
            await sanctions.appeal(GUILD, MEMBER, "I am sorry")
        await set_values(house, review_channel_id=REVIEW_CHANNEL)
        await sanctions.appeal(GUILD, MEMBER, "I am sorry")


async def test_shorter_suspension_does_not_replace_a_longer_one(open_lane):
    async with open_lane() as house:
        sanctions = house.services.sanctions
        longer = await sanctions.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("a"), days=9)
        assert (
            await sanctions.suspend(GUILD, MEMBER, by=OTHER, reason=own_words("b"), days=2)
            == longer
        )
        await sanctions.lift(GUILD, MEMBER, by=OTHER, reason=own_words("enough"))
        assert await sanctions.fetch_suspension(GUILD, MEMBER) is None
        with pytest.raises(UserError, match="not suspended"):
            await sanctions.lift(GUILD, MEMBER, by=OTHER, reason=own_words("enough"))
