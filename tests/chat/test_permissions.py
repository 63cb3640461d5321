"""Who may read another channel of a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.chat.permissions import can_everybody_see, can_read

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


class Thread(discord.Thread):
    """A thread whose parent everybody sees."""

    def permissions_for(self, obj: object, /) -> discord.Permissions:
        return discord.Permissions(view_channel=True)


@pytest.mark.parametrize("is_private", [False, True])
def test_private_thread_is_not_seen_by_everybody(is_private: bool):
    public, private = discord.ChannelType.public_thread, discord.ChannelType.private_thread
    thread = Thread.__new__(Thread)
    thread._type = private if is_private else public
    thread.parent_id = HERE
    guild: Any = SimpleNamespace(
        get_channel_or_thread={THREAD: thread}.get,
        get_channel={HERE: object()}.get,
        default_role=None,
    )
    thread.guild = guild
    assert can_everybody_see(guild, THREAD) is not is_private
    assert not can_everybody_see(guild, HERE)  # deleted, or never seen
