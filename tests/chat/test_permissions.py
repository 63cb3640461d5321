"""Who may read another channel of a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import discord

from bot.chat.permissions import can_read

HERE, THREAD = 1, 2


def test_private_thread_is_read_only_by_those_who_ask_in_it():
    """Discord does not tell the bot who else is in it."""
    thread = discord.Thread.__new__(discord.Thread)
    thread._type = discord.ChannelType.private_thread
    guild = SimpleNamespace(get_channel_or_thread=lambda channel_id: thread)
    member = discord.Member.__new__(discord.Member)
    place: Any = SimpleNamespace(guild=guild, user=member, channel_id=HERE)
    assert not can_read(cast(Any, place), THREAD)
    place.channel_id = THREAD
    assert can_read(cast(Any, place), THREAD)
