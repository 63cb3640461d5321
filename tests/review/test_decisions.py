"""Review without Discord: every state, every order of events, every stored row."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.review import CHOICES, CardKind, Decision
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import StoreError, UserError
from bot.jobs.ports import Ended, InReview
from bot.ops.chores import SomeFailed
from bot.services import Services
from bot.texts.codes import Code
from bot.texts.reasons import because, own_words, say
from tests.conftest import GUILD, MEMBER, FakeCaller
from tests.review.conftest import (
    DAY,
    HOUR,
    MODERATOR,
    OTHER,
    REVIEW_CHANNEL,
    actions,
    decide,
    deliver,
    hold,
    records,
)


async def test_held_prompt_waits_and_counts_and_its_card_is_posted(open_lane):
    async with open_lane() as house:
        caller = FakeCaller()
        job = await house.submit("leek", caller=caller)
        assert job.status is JobStatus.HELD
        assert caller.journal == [f"acknowledged {job.job_id}"]
        assert not len(house.services.waitlist.queue)
        [case] = house.messenger.cards
        assert (case.card.kind, case.job) == (CardKind.HELD, job)
        assert "hold prompts with “leek”" in say(job.held_for)
        standing = await house.services.standing.fetch(job.origin, house.clock())
        assert (standing.member_waiting, standing.member_cost > 0) == (1, True)
        assert await actions(house) == [AuditAction.PROMPT_HELD]
        await house.until(lambda: InReview() in house.messenger.updates_of(job.job_id))


@pytest.mark.parametrize(
    "origin",
    [{"guild_id": None}, {"bot_in_channel": False}, {"guild_id": GUILD + 1}],
    ids=["direct message", "bot is no member", "no review channel"],
)
async def test_where_nobody_can_look_hold_means_refuse(open_lane, origin: dict[str, Any]):
    async with open_lane() as house:
        caller = FakeCaller()
        job = await house.submit("leek", house.origin(**origin), caller)
        assert job.status is JobStatus.REFUSED
        assert "has no review channel" in caller.refusals[0]
        assert house.messenger.cards == []


@pytest.mark.parametrize(("decision", "covered"), [(Decision.APPROVE, 0), (Decision.COVER, 1)])
async def test_approved_prompt_is_drawn(open_lane, decision: Decision, covered: int):
    async with open_lane() as house:
        job = await hold(house)
        await decide(house, decision)
        assert (await house.fetch(job)).status is JobStatus.QUEUED
        await house.start()
        delivered = await house.until_status(job, JobStatus.DELIVERED)
        assert delivered.spoiler == covered
        assert delivered.approved_by == MODERATOR
        assert house.messenger.cards[-1].card.decision is decision
        wanted = AuditAction.APPROVED_COVERED if covered else AuditAction.APPROVED
        [_, entry] = await records(house)
        assert (entry.action, entry.actor_id, entry.prompt) == (wanted, MODERATOR, "leek")
        assert (entry.member_id, entry.rule) == (MEMBER, "leek")


async def test_refused_prompt_costs_nothing_and_its_member_hears(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        await decide(house, Decision.REFUSE)
        ended = await house.fetch(job)
        assert (ended.status, ended.cost) == (JobStatus.REFUSED, 0)
        assert house.messenger.updates_of(job.job_id)[-1] == Ended()
        assert await actions(house) == [AuditAction.PROMPT_HELD, AuditAction.REFUSED]


async def test_member_whose_message_is_gone_hears_directly(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        house.messenger.reachable = False
        await decide(house, Decision.REFUSE)
        assert house.messenger.told == [(job.job_id, say((await house.fetch(job)).reason))]


async def test_first_decision_wins_and_the_second_moderator_sees_whose_it_was(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        await decide(house, Decision.REFUSE)
        with pytest.raises(UserError, match=f"<@{MODERATOR}> was first and refused it"):
            await decide(house, Decision.APPROVE, by=OTHER)
        assert (await house.fetch(job)).status is JobStatus.REFUSED
        assert len(await actions(house)) == 2


async def test_of_two_decisions_at_once_one_counts(open_lane):
    """Both moderators have seen the open card. The database decides who was first."""
    async with open_lane() as house:
        job = await hold(house)
        decisions = house.services.decisions
        card = await decisions.fetch_card(house.messenger.cards[0].card.card_id, GUILD)
        assert await decisions._decide(card, Decision.REFUSE, MODERATOR) is not None
        assert await decisions._decide(card, Decision.APPROVE, OTHER) is None
        assert (await house.fetch(job)).status is JobStatus.REFUSED
        assert await actions(house) == [AuditAction.PROMPT_HELD, AuditAction.REFUSED]


async def test_decision_without_its_record_does_not_happen(open_lane, monkeypatch):
    async with open_lane() as house:
        job = await hold(house)

        async def fail(entry: AuditEntry) -> AuditEntry:
            raise UserError("no room for the database")

        monkeypatch.setattr(house.services.audit, "add", fail)
        for decision in CHOICES[CardKind.HELD]:
            with pytest.raises(UserError, match="no room"):
                await decide(house, decision)
        assert (await house.fetch(job)).status is JobStatus.HELD
        assert not await house.services.sanctions.fetch_suspension(GUILD, MEMBER)


async def test_refuse_and_suspend_keeps_the_member_out(open_lane):
    async with open_lane(suspension_days=2) as house:
        await hold(house)
        await decide(house, Decision.SUSPEND)
        caller = FakeCaller()
        refused = await house.submit("dog", caller=caller)
        assert (refused.status, refused.rule) == (JobStatus.REFUSED, "suspended")
        assert "You are suspended" in caller.refusals[0]
        assert caller.appeals == [True]
        house.clock.now += 2 * DAY + 1
        assert (await house.submit("dog")).status is JobStatus.QUEUED


async def test_unanswered_card_expires_uncharged(open_lane):
    async with open_lane(review_hours=2) as house:
        job = await hold(house)
        house.clock.now += 2 * HOUR - 1
        await house.services.decisions.sweep()
        assert (await house.fetch(job)).status is JobStatus.HELD
        house.clock.now += 2
        await house.services.decisions.sweep()
        ended = await house.fetch(job)
        assert (ended.status, ended.cost) == (JobStatus.EXPIRED, 0)
        assert "No moderator looked" in say(ended.reason)
        assert house.messenger.cards[-1].card.decision is Decision.EXPIRE
        assert (await actions(house))[-1] is AuditAction.EXPIRED
        with pytest.raises(UserError, match="closed without a moderator"):
            await decide(house, Decision.APPROVE)


async def test_member_can_take_a_held_prompt_back(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        [waiting] = await house.services.jobs.list_waiting_of(MEMBER)
        assert waiting.job_id == job.job_id
        assert await house.services.dispatcher.cancel(job.job_id) is not None
        assert house.messenger.cards[-1].card.decision is Decision.WITHDRAW
        with pytest.raises(UserError, match="closed without a moderator"):
            await decide(house, Decision.APPROVE)
        assert (await house.fetch(job)).status is JobStatus.CANCELLED


async def test_where_the_card_cannot_be_posted_the_prompt_is_refused(open_lane):
    async with open_lane() as house:
        house.messenger.has_review_channel = False
        job = await house.submit("leek")
        ended = await house.fetch(job)
        assert (ended.status, ended.cost) == (JobStatus.REFUSED, 0)
        assert "cannot post in the moderators' channel" in say(ended.reason)
        assert house.messenger.updates_of(job.job_id)[-1] == Ended()
        assert await actions(house) == [AuditAction.PROMPT_HELD, AuditAction.REFUSED]


async def test_card_is_posted_once_discord_is_back(open_lane):
    async with open_lane() as house:
        house.messenger.is_away = True
        await hold(house)
        await house.services.decisions.sweep()
        assert house.messenger.cards == []
        house.messenger.is_away = False
        await house.services.decisions.sweep()
        await house.services.decisions.sweep()
        assert len(house.messenger.cards) == 1


async def test_outcome_reaches_everybody_once_discord_is_back(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        house.messenger.is_away = True
        await decide(house, Decision.REFUSE)
        assert Ended() not in house.messenger.updates_of(job.job_id)
        house.messenger.is_away = False
        await house.services.decisions.sweep()
        assert house.messenger.updates_of(job.job_id)[-1] == Ended()
        assert house.messenger.cards[-1].card.decision is Decision.REFUSE
        shown = len(house.messenger.cards)
        await house.services.decisions.sweep()
        assert len(house.messenger.cards) == shown


async def test_stop_before_the_first_answer_was_booked_does_not_draw_a_held_prompt(open_lane):
    """The row is accepted, and the answer may have arrived or not. Recovery goes on from there."""
    async with open_lane() as house:

        async def die(job: Job) -> None:
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError):
            await house.submit("leek", caller=FakeCaller(at_acknowledge=die))
    async with open_lane() as house:
        await house.services.recovery.run()
        [job] = await house.services.jobs.list_by_status(*JobStatus)
        assert job.status is JobStatus.HELD
        assert house.messenger.updates_of(job.job_id) == [InReview()]
        await house.services.decisions.sweep()
        assert len(house.messenger.cards) == 1
        await decide(house, Decision.APPROVE)
        assert (await house.fetch(job)).status is JobStatus.QUEUED


async def test_stop_between_the_decision_and_its_news(open_lane):
    async with open_lane() as house:
        approved, refused = await hold(house), await hold(house)
        cards = [case.card.card_id for case in house.messenger.cards]
        house.messenger.is_away = True
        await house.services.decisions.decide(cards[0], Decision.APPROVE, MODERATOR, GUILD)
        await house.services.decisions.decide(cards[1], Decision.REFUSE, MODERATOR, GUILD)
    async with open_lane() as house:
        await house.services.recovery.run()
        await house.services.decisions.sweep()
        assert house.messenger.updates_of(refused.job_id) == [Ended()]
        decided = {case.card.card_id: case.card.decision for case in house.messenger.cards}
        assert decided == {cards[0]: Decision.APPROVE, cards[1]: Decision.REFUSE}
        await house.start()
        await house.until_status(approved, JobStatus.DELIVERED)
        assert len(house.messenger.delivered) == 1


async def test_stop_between_a_cancel_and_its_card(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        await house.services.jobs.mark_ended(
            job.job_id,
            JobStatus.CANCELLED,
            reason=because(Code.CANCELLED),
            now=0,
            leaving=[JobStatus.HELD],
        )
        await house.services.decisions.sweep()
        assert house.messenger.cards[-1].card.decision is Decision.WITHDRAW


@pytest.mark.parametrize(
    ("values", "joined_days_ago", "status"),
    [
        ({"review_everything": True}, 400, JobStatus.HELD),
        ({"review_newcomer_days": 7}, 6, JobStatus.HELD),
        ({"review_newcomer_days": 7}, 8, JobStatus.QUEUED),
        ({"review_newcomer_days": 7}, None, JobStatus.HELD),
        ({}, 0, JobStatus.QUEUED),
    ],
)
async def test_review_of_everything_and_of_newcomers(
    open_lane, values: dict[str, Any], joined_days_ago: int | None, status: JobStatus
):
    async with open_lane(**values) as house:
        joined = None if joined_days_ago is None else house.clock() - joined_days_ago * DAY
        job = await house.submit("dog", house.origin(joined_at=joined))
        assert job.status is status
        if status is JobStatus.HELD:
            assert "review" in say(job.held_for)
            await decide(house, Decision.APPROVE)
            await house.start()
            await house.until_status(job, JobStatus.DELIVERED)


# Rules that change while a job waits.


def change_rules(services: Services, action: Outcome) -> None:
    from bot.moderation import PromptPolicy

    services.gate._policy = PromptPolicy((), [Rule(RuleKind.WORD, "dog", action)])


async def test_rule_added_while_the_job_waited_refuses_it_at_delivery(open_lane):
    async with open_lane() as house:
        job = await house.submit("dog")
        change_rules(house.services, Outcome.REFUSE)
        await house.start()
        ended = await house.until_status(job, JobStatus.REFUSED)
        await house.until_idle()
        assert (ended.cost, ended.rule) == (0, "dog")
        assert "do not allow “dog”" in say(ended.reason)
        assert house.messenger.delivered == []
        assert not house.services.writer.folder_of(job.job_id).exists()
        assert await actions(house) == [AuditAction.PROMPT_REFUSED]


async def test_rule_added_while_the_job_waited_covers_it_at_delivery(open_lane):
    async with open_lane() as house:
        job = await house.submit("dog")
        change_rules(house.services, Outcome.SPOILER)
        await house.start()
        assert (await house.until_status(job, JobStatus.DELIVERED)).spoiler
        assert house.messenger.delivered[0][0].spoiler
        assert await actions(house) == [AuditAction.PROMPT_COVERED]


async def test_rule_added_while_the_job_waited_holds_it_once(open_lane):
    async with open_lane() as house:
        job = await house.submit("dog")
        change_rules(house.services, Outcome.HOLD)
        await house.start()
        await house.until_status(job, JobStatus.HELD)
        await house.until(lambda: house.messenger.cards)
        assert house.messenger.delivered == []
        assert house.messenger.cards[0].picture is not None
        await decide(house, Decision.APPROVE)
        await house.until_status(job, JobStatus.DELIVERED)
        assert len(house.messenger.delivered) == 1


# Pictures.


# Reports.


# Strikes, suspensions, appeals.


async def test_card_of_another_server_cannot_be_decided(open_lane):
    async with open_lane() as house:
        job = await hold(house)
        card_id = house.messenger.cards[0].card.card_id
        with pytest.raises(UserError, match="deleted from the database"):
            await house.services.decisions.decide(card_id, Decision.APPROVE, MODERATOR, GUILD + 1)
        with pytest.raises(UserError, match="cannot be decided like that"):
            await house.services.decisions.decide(card_id, Decision.GRANT, MODERATOR, GUILD)
        assert (await house.fetch(job)).status is JobStatus.HELD


def test_terminal_job_has_no_review():
    from bot.domain.guilds import GuildSettings
    from bot.policy.prompts import has_review

    assert not has_review(
        Origin(source=Source.TERMINAL), GuildSettings(review_channel_id=REVIEW_CHANNEL)
    )


async def test_sweep_that_comes_late_opens_no_second_card(open_lane):
    """The sweep read the held job just before a moderator approved it."""
    async with open_lane() as house:
        job = await hold(house)
        await decide(house, Decision.APPROVE)
        await house.services.review_cards.hold(job)
        assert await house.services.jobs.list_by_status(JobStatus.HELD) == []
        assert [case.card.decision for case in house.messenger.cards] == [None, Decision.APPROVE]


async def test_store_that_fails_after_an_approval_does_not_lose_the_job(open_lane, monkeypatch):
    async with open_lane() as house:
        job = await hold(house)
        fetch_job, faults = house.services.jobs.fetch_job, [StoreError("disk full")]

        async def fail_once(job_id: int) -> Job | None:
            found = await fetch_job(job_id)
            if found is not None and found.status is JobStatus.QUEUED and faults:
                raise faults.pop()
            return found

        monkeypatch.setattr(house.services.jobs, "fetch_job", fail_once)
        with pytest.raises(StoreError):
            await decide(house, Decision.APPROVE)
        assert len(house.services.waitlist.queue) == 0
        await house.services.decisions.sweep()
        assert len(house.services.waitlist.queue) == 1
        await house.services.decisions.sweep()
        assert len(house.services.waitlist.queue) == 1
        assert house.messenger.cards[-1].card.decision is Decision.APPROVE
        await house.start()
        await house.until_status(job, JobStatus.DELIVERED)


async def test_sweep_beside_a_decision_tells_nobody_twice(open_lane):
    async with open_lane() as house:
        consequences, review = house.services.sanctions, house.services.decisions
        await consequences.suspend(GUILD, MEMBER, by=MODERATOR, reason=own_words("rude"), days=5)
        await consequences.appeal(GUILD, MEMBER, "I am sorry")
        await hold(house, user_id=OTHER)
        house.messenger.edit_seconds = 0.05
        cards = [case.card.card_id for case in house.messenger.cards]
        await asyncio.gather(
            review.decide(cards[0], Decision.GRANT, MODERATOR, GUILD),
            review.decide(cards[1], Decision.APPROVE, MODERATOR, GUILD),
            *(review.sweep() for _ in range(3)),
        )
        assert len(house.messenger.written) == 1
        assert len(house.services.waitlist.queue) == 1


async def test_cards_are_looked_after_although_the_first_look_failed(open_lane, monkeypatch):
    async with open_lane() as house:
        await house.start()
        job = await deliver(house)
        await house.services.reports.take(job.job_id, OTHER, "ugly", GUILD)
        assert len(house.messenger.cards) == 1
        decisions = house.services.decisions
        list_unsettled, faults = decisions._cards.list_unsettled_ids, [StoreError("disk full")]

        async def fail_once() -> list[int]:
            if faults:
                raise faults.pop()
            return await list_unsettled()

        monkeypatch.setattr(decisions._cards, "list_unsettled_ids", fail_once)
        with pytest.raises(StoreError):
            await decisions.look_after()
        for _ in range(2):
            await decisions.look_after()
        assert len(house.messenger.cards) == 2  # edit the card once more, in case it was deleted


async def test_row_that_cannot_be_read_keeps_no_other_card_waiting(open_lane):
    async with open_lane(review_hours=2) as house:
        await house.services.settings.put(GUILD + 1, "review_channel_id", REVIEW_CHANNEL)
        unposted = await hold(house, guild_id=GUILD + 1)
        damaged, job = await hold(house), await hold(house)
        for statement in (
            f"UPDATE card SET decision = 'maybe' WHERE job_id = {damaged.job_id}",
            f"DELETE FROM card WHERE job_id = {unposted.job_id}",
            f"UPDATE setting SET value = '\"maybe\"' WHERE guild_id = {GUILD + 1}",
        ):
            await house.database.execute(statement)
        house.clock.now += 2 * HOUR + 1
        for part in ("card 2", f"job {unposted.job_id}"):
            with pytest.raises(SomeFailed, match=f"^{part}$"):
                await house.services.decisions.look_after()
        assert (await house.fetch(job)).status is JobStatus.EXPIRED
