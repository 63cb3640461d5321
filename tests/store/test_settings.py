"""Settings of servers and channels, and which of them take precedence."""

from __future__ import annotations

import pytest

from bot.domain.guilds import GuildSettings, RoleQuota
from bot.domain.rules import Outcome
from bot.errors import UserError
from bot.store import Database, SettingsRepository

GUILD, CHANNEL, THREAD = 2**60 + 1, 2**60 + 2, 2**60 + 3


async def test_a_server_that_set_nothing_has_the_defaults(database: Database) -> None:
    assert await SettingsRepository(database).fetch(GUILD) == GuildSettings()


async def test_values_come_back_as_they_were(database: Database) -> None:
    settings = SettingsRepository(database)
    await settings.put(GUILD, "allowed_role_ids", [2**62, 7])
    await settings.put(GUILD, "role_quotas", [{"role_id": 5, "weight": 2.0}])
    await settings.put(GUILD, "picture_action", "spoiler")
    found = await settings.fetch(GUILD)
    assert found.allowed_role_ids == (2**62, 7)
    assert found.role_quotas == (RoleQuota(5, weight=2.0),)
    assert found.picture_action is Outcome.SPOILER


async def test_the_thread_goes_before_its_channel_and_the_channel_before_the_server(
    database: Database,
) -> None:
    settings = SettingsRepository(database)
    await settings.put(GUILD, "nsfw_threshold", 0.2)
    await settings.put(GUILD, "nsfw_threshold", 0.3, channel_id=CHANNEL)
    assert (await settings.fetch(GUILD)).nsfw_threshold == 0.2
    assert (await settings.fetch(GUILD, THREAD, CHANNEL)).nsfw_threshold == 0.3
    await settings.put(GUILD, "nsfw_threshold", 0.4, channel_id=THREAD)
    assert (await settings.fetch(GUILD, THREAD, CHANNEL)).nsfw_threshold == 0.4
    assert (await settings.fetch(GUILD + 1, THREAD, CHANNEL)).nsfw_threshold is None


async def test_a_change_names_the_old_value_and_the_new_one(database: Database) -> None:
    settings = SettingsRepository(database)
    assert await settings.put(GUILD, "review_hours", 5) == (None, 5)
    assert await settings.put(GUILD, "review_hours", 7) == (5, 7)
    assert await settings.put(GUILD, "review_hours", None) == (7, None)
    assert await settings.fetch(GUILD) == GuildSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("nothing", 1), ("review_hours", "soon"), ("picture_action", "eat"), ("role_quotas", [{}])],
)
async def test_what_does_not_fit_is_refused_and_changes_nothing(
    database: Database, name: str, value: object
) -> None:
    settings = SettingsRepository(database)
    with pytest.raises(UserError, match="Nothing was changed"):
        await settings.put(GUILD, name, value)
    assert await settings.fetch_scope(GUILD) == {}
