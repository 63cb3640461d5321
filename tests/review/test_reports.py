"""Reports of pictures by members."""

from __future__ import annotations

import pytest

from bot.domain.audit import AuditAction
from bot.domain.review import Decision
from bot.errors import UserError
from bot.jobs.ports import Hidden
from bot.views.review import compose_card
from tests.conftest import GUILD, MEMBER
from tests.review.conftest import DAY, MODERATOR, actions, decide, deliver, set_values


async def test_enough_reports_hide_until_a_moderator_restores(open_lane):
    async with open_lane(reports_to_hide=2) as house:
        await house.start()
        job = await deliver(house)
        reports = house.services.reports
        await reports.take(job.job_id, 1, "ugly", GUILD)
        assert Hidden() not in house.messenger.updates_of(job.job_id)
        with pytest.raises(UserError, match="already"):
            await reports.take(job.job_id, 1, "ugly again", GUILD)
        await reports.take(job.job_id, 2, "very ugly", GUILD)
        assert (await house.fetch(job)).hidden
        assert house.messenger.updates_of(job.job_id)[-1] == Hidden()
        assert [r.reason for r in house.messenger.cards[-1].reports] == ["ugly", "very ugly"]
        await decide(house, Decision.RESTORE)
        assert not (await house.fetch(job)).hidden
        assert len(house.messenger.delivered) == 2
        assert [user for user, _ in house.messenger.written] == [1, 2]
        assert "it stays" in house.messenger.written[0][1]
        assert await actions(house) == [
            AuditAction.REPORTED,
            AuditAction.REPORTED,
            AuditAction.REPORT_DECIDED,
        ]


async def test_nothing_is_reported_where_nobody_could_look(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        message_id = (await house.fetch(job)).message_id
        assert message_id is not None
        reports = house.services.reports
        assert (await reports.find(message_id, GUILD)).job_id == job.job_id
        await set_values(house, review_channel_id=None)
        with pytest.raises(UserError, match="Nothing was sent"):
            await reports.find(message_id, GUILD)
        with pytest.raises(UserError, match="Nothing was sent"):
            await reports.take(job.job_id, 1, "ugly", GUILD)
        assert not (await house.fetch(job)).hidden
        assert (house.messenger.cards, await actions(house)) == ([], [])


async def test_removed_pictures_stay_away_and_their_member_gets_a_strike(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        await house.services.reports.take(job.job_id, 1, "ugly", GUILD)
        await decide(house, Decision.STRIKE)
        assert house.messenger.updates_of(job.job_id)[-1] == Hidden(is_removed=True)
        assert await house.services.writer.locate_grid(job.job_id) is None
        [strike] = await house.services.sanctions.list_strikes(GUILD, MEMBER)
        assert (strike.given_by, strike.job_id) == (MODERATOR, job.job_id)
        with pytest.raises(UserError, match="already removed"):
            await house.services.reports.take(job.job_id, 2, "late", GUILD)


async def test_where_the_message_is_out_of_reach_the_card_asks_for_a_hand(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        await house.services.reports.take(job.job_id, 1, "ugly", GUILD)
        house.messenger.reachable = False
        await decide(house, Decision.REMOVE)
        assert await house.services.writer.locate_grid(job.job_id) is None
        case = house.messenger.cards[-1]
        assert case.card.decision is Decision.REMOVE
        view, _ = compose_card(case)
        assert "please delete it by hand" in str(view.to_components())


async def test_reports_of_one_member_are_limited_per_day(open_lane):
    async with open_lane(reports_to_hide=100) as house:
        await house.start()
        jobs = [await deliver(house) for _ in range(11)]
        for job in jobs[:10]:
            await house.services.reports.take(job.job_id, 1, "no", GUILD)
        with pytest.raises(UserError, match="within a day"):
            await house.services.reports.take(jobs[10].job_id, 1, "no", GUILD)
        house.clock.now += DAY + 1
        await house.services.reports.take(jobs[10].job_id, 1, "no", GUILD)


async def test_stop_before_the_message_was_hidden(open_lane):
    async with open_lane(reports_to_hide=1) as house:
        await house.start()
        job = await deliver(house)
        house.messenger.is_away = True
        await house.services.reports.take(job.job_id, 1, "ugly", GUILD)
    async with open_lane(reports_to_hide=1) as house:
        await house.services.decisions.look_after()
        assert house.messenger.cards
        assert house.messenger.updates_of(job.job_id) == [Hidden()]


async def test_pictures_are_hidden_once_discord_is_back(open_lane):
    async with open_lane(reports_to_hide=2) as house:
        await house.start()
        job = await deliver(house)
        reports, review = house.services.reports, house.services.decisions
        await reports.take(job.job_id, 1, "ugly", GUILD)
        house.messenger.is_away = True
        await reports.take(job.job_id, 2, "ugly", GUILD)
        await review.sweep()
        assert Hidden() not in house.messenger.updates_of(job.job_id)
        house.messenger.is_away = False
        await review.sweep()
        await review.sweep()
        assert house.messenger.updates_of(job.job_id).count(Hidden()) == 1
        await decide(house, Decision.RESTORE)
        await reports.take(job.job_id, 3, "ugly", GUILD)
        await reports.take(job.job_id, 4, "ugly", GUILD)
        assert house.messenger.updates_of(job.job_id).count(Hidden()) == 2
