"""Rows of the audit log can be added and searched, but nobody can change them."""

from __future__ import annotations

import hashlib

import pytest

from bot.domain.audit import AuditAction, AuditEntry
from bot.errors import StoreError
from bot.store import AuditRepository, Database
from bot.store.retention import RetentionRepository
from bot.texts.reasons import own_words

GUILD, MEMBER, MODERATOR = 2**60 + 1, 2**61 + 1, 2**61 + 2


def refusal(at: float = 10.0, guild_id: int | None = GUILD) -> AuditEntry:
    return AuditEntry(
        AuditAction.PROMPT_REFUSED,
        at,
        guild_id=guild_id,
        member_id=MEMBER,
        job_id=3,
        rule="kale",
        rules_version=4,
        prompt="a plate of kale",
        reason=own_words("No kale."),
    )


async def test_a_row_keeps_the_hash_of_its_prompt(database: Database) -> None:
    audit = AuditRepository(database)
    kept = await audit.add(refusal())
    assert kept.prompt_hash == hashlib.sha256(b"a plate of kale").hexdigest()
    assert await audit.search(GUILD) == [kept]


async def test_search_narrows_by_member_moderator_rule_and_time(database: Database) -> None:
    audit = AuditRepository(database)
    first = await audit.add(refusal(at=10.0))
    second = await audit.add(
        AuditEntry(AuditAction.STRUCK, 20.0, GUILD, actor_id=MODERATOR, member_id=MEMBER + 9)
    )
    await audit.add(refusal(guild_id=GUILD + 1))
    assert await audit.search(GUILD) == [second, first]
    assert await audit.search(GUILD, member_id=MEMBER) == [first]
    assert await audit.search(GUILD, actor_id=MODERATOR) == [second]
    assert await audit.search(GUILD, rule="kale") == [first]
    assert await audit.search(GUILD, since=15.0) == [second]
    assert await audit.search(GUILD, actions=[AuditAction.PROMPT_REFUSED]) == [first]
    assert await audit.search(GUILD, after_entry=first.entry_id, newest_first=False) == [second]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason_code = 'cancelled'",
        """UPDATE audit SET reason_params = '{"text": "nothing happened"}'""",
        "UPDATE audit SET actor_id = 5",
        "UPDATE audit SET guild_id = NULL",
        "UPDATE audit SET member_id = NULL",
        "UPDATE audit SET prompt = 'something else'",
        "UPDATE audit SET reason_code = ''",
        "UPDATE audit SET reason_params = '{}'",
        "UPDATE audit SET prompt = '', rule = ''",
        "DELETE FROM audit",
    ],
)
async def test_nobody_changes_what_is_on_record(database: Database, statement: str) -> None:
    audit = AuditRepository(database)
    kept = await audit.add(refusal())
    with pytest.raises(StoreError, match="append-only"):
        await database.execute(statement)
    assert await audit.search(GUILD) == [kept]


async def test_deleted_data_leaves_ids_and_rule(database: Database) -> None:
    audit = AuditRepository(database)
    kept = await audit.add(refusal())
    await RetentionRepository(database).blank_words_of(MEMBER)
    (left,) = await audit.search(GUILD)
    assert left.prompt == ""
    assert (left.rule, left.prompt_hash) == ("kale", kept.prompt_hash)


@pytest.mark.parametrize("guild_id", [GUILD, None])
async def test_retention_lets_only_old_rows_of_one_guild_go(
    database: Database, guild_id: int | None
) -> None:
    audit = AuditRepository(database)
    await audit.add(refusal(at=10.0, guild_id=guild_id))
    young = await audit.add(refusal(at=20.0, guild_id=guild_id))
    other = await audit.add(refusal(at=10.0, guild_id=GUILD + 1))
    assert await audit.forget_before(guild_id, 15.0) == 1
    assert await audit.search(guild_id) == [young]
    assert await audit.search(GUILD + 1) == [other]
