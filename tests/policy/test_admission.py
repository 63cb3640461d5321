"""A server's own conditions for prompts: rules, lists of roles and channels, quotas, and pause."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.audit import AuditAction
from bot.domain.guilds import GuildSettings, RoleQuota
from bot.domain.jobs import JobStatus
from bot.domain.rules import Rule, RuleKind
from bot.errors import UserError
from bot.policy.admission import DAY_SECONDS, compose_quota, find_admission_refusal
from bot.texts.reasons import Reason, say
from tests.conftest import GUILD, MEMBER, START, Clock, House, OpenHouse
from tests.jobs.test_intake import refusal_of

MODERATOR, ROLE = MEMBER + 100, 2**59
KALE = Rule(RuleKind.WORD, "kale")


async def adopt(house: House, *rules: Rule, guild_id: int = GUILD) -> list[int]:
    added = await house.services.guilds.rule_editor.adopt(guild_id, rules, MODERATOR)
    return [each.rule_id for each in added]


async def change(house: House, name: str, value: Any, channel_id: int = 0) -> bool:
    return await house.services.settings.change(
        GUILD, name, value, actor_id=MODERATOR, now=house.clock.now, channel_id=channel_id
    )


async def test_paused_server_takes_nothing_and_others_go_on(quiet_house: House):
    waiting = await quiet_house.submit()
    await change(quiet_house, "is_paused", True)
    assert "paused Triptych" in await refusal_of(quiet_house)
    assert (await quiet_house.fetch(waiting)).status is JobStatus.QUEUED
    elsewhere = quiet_house.origin(guild_id=GUILD + 1)
    assert (await quiet_house.submit(origin=elsewhere)).status is JobStatus.QUEUED


def test_lists_of_channels_and_roles_and_age_decide_who_may_prompt(quiet_house: House):
    origin = quiet_house.origin(role_ids=(ROLE,), joined_at=START - 3 * DAY_SECONDS)

    def refusal(**settings: Any) -> Reason | None:
        return find_admission_refusal(origin, GuildSettings(**settings), START)

    assert refusal() is None
    assert refusal(allowed_channel_ids=(77,), allowed_role_ids=(ROLE, 5)) is None
    assert refusal(min_member_days=3) is None
    assert "draws only in <#78>." in say(refusal(allowed_channel_ids=(78,)))
    assert "<#5>, <#6>, …" in say(refusal(allowed_channel_ids=range(2, 9)))
    assert "one of these roles: <@&5>." in say(refusal(allowed_role_ids=(5,)))
    assert "joined at least 4 days ago" in say(refusal(min_member_days=4))


def test_thread_belongs_to_its_channel(quiet_house: House):
    origin = quiet_house.origin(channel_id=78, parent_channel_id=77)
    settings = GuildSettings(allowed_channel_ids=(77,))
    assert find_admission_refusal(origin, settings, START) is None


def test_member_of_unknown_age_counts_as_new(quiet_house: House):
    settings = GuildSettings(min_member_days=1)
    assert find_admission_refusal(quiet_house.origin(), settings, START)


def test_member_gets_the_best_of_what_their_roles_give():
    settings = GuildSettings(
        role_quotas=(
            RoleQuota(1, max_cost_per_day=5.0, weight=0.5),
            RoleQuota(2, max_cost_per_day=9.0, max_waiting=2),
            RoleQuota(3, max_cost_per_day=99.0, max_waiting=9, weight=9.0),
        )
    )
    assert compose_quota(settings, (1, 2)) == RoleQuota(0, 9.0, 2, 0.5)
    assert compose_quota(settings, ()) == RoleQuota(0)


async def test_role_may_have_so_much_a_day_in_its_server(quiet_house: House):
    clock = quiet_house.clock
    await change(quiet_house, "role_quotas", [{"role_id": ROLE, "max_cost_per_day": 2}])

    def mine(**changes: Any) -> Any:
        return quiet_house.origin(role_ids=(ROLE,), **changes)

    for _ in range(2):
        job = await quiet_house.submit(origin=mine())
        await quiet_house.services.dispatcher.cancel(job.job_id)
    for _ in range(2):
        await quiet_house.submit(origin=mine())
    reason = await refusal_of(quiet_house, origin=mine())
    assert "would cost 1.0 and you have 0.0 of 2 left in 24 hours" in reason
    assert (await quiet_house.submit(origin=mine(guild_id=GUILD + 1))).status is JobStatus.QUEUED
    assert (await quiet_house.submit()).status is JobStatus.QUEUED
    clock.now += DAY_SECONDS
    assert (await quiet_house.submit(origin=mine())).status is JobStatus.QUEUED


async def test_role_has_so_many_in_line_and_never_more_than_the_owner_allows(
    open_house: OpenHouse,
):
    async with open_house(max_waiting_per_member=2) as house:
        await change(house, "role_quotas", [{"role_id": ROLE, "max_waiting": 1}])
        await house.submit(origin=house.origin(role_ids=(ROLE,)))
        reason = await refusal_of(house, origin=house.origin(role_ids=(ROLE,)))
        assert "You already have 1 prompt in the queue" in reason
        await change(house, "role_quotas", [{"role_id": ROLE, "max_waiting": 50}])
        await house.submit(origin=house.origin(role_ids=(ROLE,)))
        reason = await refusal_of(house, origin=house.origin(role_ids=(ROLE,)))
        assert "You already have 2 prompts in the queue" in reason


async def test_weight_is_on_record_and_counts_after_a_restart(open_house: OpenHouse):
    clock = Clock()
    async with open_house(clock=clock) as house:
        await change(house, "role_quotas", [{"role_id": ROLE, "weight": 4}])
        await house.start()
        heavy = await house.submit(origin=house.origin(1, role_ids=(ROLE,)))
        for origin in (house.origin(1, role_ids=(ROLE,)), house.origin(2)):
            await house.until_status(await house.submit(origin=origin), JobStatus.DELIVERED)
        assert (await house.fetch(heavy)).weight == 4
    async with open_house(clock=clock) as house:
        await house.services.waitlist.load()
        totals = house.services.waitlist.use.totals(clock.now)
        drawn = sum(job.cost for job in [await house.fetch(1), await house.fetch(2)])
        assert totals.by_member[GUILD, 1] == pytest.approx(drawn / 4)
        assert totals.by_guild[GUILD] > drawn  # this gives the server no advantage


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retention_days", 0),
        ("retention_days", 10_000),
        ("nsfw_threshold", float("nan")),
        ("nsfw_threshold", 1.0),
        ("review_hours", 0),
        ("review_hours", 1.5),
        ("picture_action", "allow"),
        ("picture_action", "nothing"),
        ("role_quotas", [{"role_id": 1, "weight": 0}]),
        ("role_quotas", [{"role_id": 1, "max_waiting": -1}]),
        ("allowed_role_ids", list(range(30))),
        ("unknown", 1),
    ],
)
async def test_value_out_of_bounds_changes_nothing(quiet_house: House, name: str, value: Any):
    with pytest.raises(UserError, match="Nothing was changed"):
        await change(quiet_house, name, value)
    assert await quiet_house.services.settings.fetch(GUILD) == GuildSettings()
    assert await quiet_house.services.audit.search(GUILD) == []


async def test_change_of_a_setting_is_on_record_once(quiet_house: House):
    assert await change(quiet_house, "review_everything", True, channel_id=77)
    assert not await change(quiet_house, "review_everything", True, channel_id=77)
    [entry] = await quiet_house.services.audit.search(GUILD)
    assert (entry.action, entry.actor_id) == (AuditAction.SETTING_CHANGED, MODERATOR)
    assert say(entry.reason) == "review_everything, channel 77"
    assert (entry.old_value, entry.new_value) == ("", "true")
