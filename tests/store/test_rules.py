"""Rules of servers are never edited, and every change writes a row of the audit log."""

from __future__ import annotations

import pytest

from bot.domain.audit import AuditEntry
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import StoreError, UserError
from bot.store import AuditRepository, Database, RuleRepository
from bot.store import rules as module

GUILD, MODERATOR = 2**60 + 1, 2**61 + 2
KALE = Rule(RuleKind.WORD, "kale", Outcome.HOLD, ("kale chips",))
LEEK = Rule(RuleKind.PATTERN, "leeks?")


@pytest.fixture
def rules(database: Database) -> RuleRepository:
    return RuleRepository(database)


async def add(rules: RuleRepository, *added: Rule, guild_id: int = GUILD) -> list[int]:
    done = await rules.add(guild_id, added, actor_id=MODERATOR, now=5.0)
    return [each.rule_id for each in done]


async def test_version_rises_with_every_change_and_is_each_servers_own(rules: RuleRepository):
    assert await rules.fetch_version(GUILD) == await rules.fetch_version(None) == 0
    [kale, _] = await add(rules, KALE, LEEK)
    assert await rules.fetch_version(GUILD) == 1
    await rules.remove(GUILD, kale, actor_id=MODERATOR, now=6.0)
    assert await rules.fetch_version(GUILD) == 2
    await add(rules, KALE)
    assert await rules.fetch_version(GUILD) == 3
    assert await rules.fetch_version(GUILD + 1) == 0


async def test_rule_comes_back_as_it_was_given(rules: RuleRepository):
    await add(rules, KALE, LEEK)
    found = await rules.list_rules(GUILD)
    assert [each.rule for each in found] == [KALE, LEEK]
    assert {(each.added_by, each.added_at) for each in found} == {(MODERATOR, 5.0)}
    assert await rules.list_rules(GUILD + 1) == []


async def test_what_is_in_force_is_not_added_again(rules: RuleRepository):
    await add(rules, KALE)
    assert await add(rules, KALE) == []
    assert await rules.fetch_version(GUILD) == 1
    assert len(await add(rules, KALE, LEEK, LEEK)) == 1


async def test_rule_that_returns_is_a_new_one(rules: RuleRepository):
    [first] = await add(rules, KALE)
    assert await rules.remove(GUILD, first, actor_id=MODERATOR, now=6.0) is not None
    assert await rules.remove(GUILD, first, actor_id=MODERATOR, now=6.0) is None
    [second] = await add(rules, KALE)
    assert second != first


async def test_nobody_removes_the_rule_of_another_server(rules: RuleRepository):
    [kale] = await add(rules, KALE)
    assert await rules.remove(GUILD + 1, kale, actor_id=MODERATOR, now=6.0) is None
    assert len(await rules.list_rules(GUILD)) == 1


async def test_each_change_is_on_record_with_who_made_it(rules: RuleRepository, database: Database):
    [kale, _] = await add(rules, KALE, LEEK)
    await rules.remove(GUILD, kale, actor_id=MODERATOR + 1, now=6.0)
    entries = await AuditRepository(database).search(GUILD, newest_first=False)
    found = [(each.action, each.rule, each.rules_version, each.actor_id) for each in entries]
    assert found == [
        ("rule_added", "kale", 1, MODERATOR),
        ("rule_added", "leeks?", 1, MODERATOR),
        ("rule_removed", "kale", 2, MODERATOR + 1),
    ]  # fmt: skip
    assert '"action": "hold"' in entries[0].new_value
    assert entries[2].old_value == entries[0].new_value


async def test_change_that_cannot_be_recorded_is_not_made(
    rules: RuleRepository, monkeypatch: pytest.MonkeyPatch
):
    [kale] = await add(rules, KALE)

    async def full(self: AuditRepository, entry: AuditEntry) -> AuditEntry:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(AuditRepository, "add", full)
    with pytest.raises(StoreError):
        await add(rules, LEEK)
    with pytest.raises(StoreError):
        await rules.remove(GUILD, kale, actor_id=MODERATOR, now=6.0)
    assert [each.rule for each in await rules.list_rules(GUILD)] == [KALE]
    assert await rules.fetch_version(GUILD) == 1


async def test_server_may_have_so_many_rules(
    rules: RuleRepository, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MAX_RULES_PER_GUILD", 1)
    with pytest.raises(UserError, match="the limit is 1"):
        await add(rules, KALE, LEEK)
    assert await rules.list_rules(GUILD) == []
