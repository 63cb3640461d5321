"""The real client asks Discord whether a member has left a server."""

from __future__ import annotations

from typing import Any, cast

import discord
import discord.http
import pytest

from bot.chat.messenger import DiscordMessenger
from bot.jobs.ports import Unreachable
from playground import Playground, answer

TOKEN = "a-token"


async def test_discord_is_asked_once_and_only_a_clear_answer_counts(
    monkeypatch: pytest.MonkeyPatch,
):
    async with Playground(TOKEN) as server:
        monkeypatch.setattr(discord.http.Route, "BASE", server.api_base)
        async with discord.Client(intents=discord.Intents(guilds=True)) as client:
            await client.login(TOKEN)
            messenger = DiscordMessenger(cast(Any, client), lambda: 0.0)
            guild, member = next(iter(server.world.guilds.values())), server.person("member")
            route = f"/guilds/{guild.id}/members/{member.id}"
            assert not await messenger.has_left(guild.id, member.id)
            del guild.members[member.id]
            assert await messenger.has_left(guild.id, member.id)
            assert not await messenger.has_left(guild.id + 1, member.id)  # the bot is not there
            server.faults.plan(f"GET {route}", answer(403, 50001))
            with pytest.raises(Unreachable):
                await messenger.has_left(guild.id, member.id)
            asked = [record.path for record in server.log.requests]
            assert asked.count(route) == 3
