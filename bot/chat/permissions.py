"""Checks who may decide, at every press, because a server can offer a command to anybody."""

from __future__ import annotations

from typing import Any

import discord

from bot.domain.guilds import GuildSettings
from bot.errors import UserError
from bot.texts import review as texts


def find_server(interaction: discord.Interaction[Any]) -> int | None:
    """Return the id of the server where this happened, if that server has installed Triptych.

    None if only a person has installed it: that server's moderators have no rights here.
    """
    return interaction.guild_id if interaction.is_guild_integration() else None


def can_read(interaction: discord.Interaction[Any], channel_id: int) -> bool:
    """Return whether this person may read another channel of this server.

    Discord does not tell us who is in a private thread, so they can read it only if they ask there.
    """
    guild, member = interaction.guild, interaction.user
    if channel_id == interaction.channel_id:
        return True
    channel = None if guild is None else guild.get_channel_or_thread(channel_id)
    if channel is None or not isinstance(member, discord.Member):
        return False
    if isinstance(channel, discord.Thread) and channel.is_private():
        return False
    may = channel.permissions_for(member)
    return may.view_channel and may.read_message_history


def can_everybody_see(guild: discord.Guild | None, channel_id: int) -> bool:
    """Return whether all members of a server see a channel. False for an unknown channel."""
    channel = None if guild is None else guild.get_channel_or_thread(channel_id)
    if guild is None or channel is None:
        return False
    if isinstance(channel, discord.Thread) and (channel.is_private() or channel.parent is None):
        return False
    return channel.permissions_for(guild.default_role).view_channel


def manages_messages(interaction: discord.Interaction[Any]) -> bool:
    """Return whether this person may manage messages in this channel of the server."""
    return find_server(interaction) is not None and interaction.permissions.manage_messages


def is_moderator(interaction: discord.Interaction[Any], settings: GuildSettings) -> bool:
    """Return whether this person has Manage Messages or one of the server's moderator roles."""
    member = interaction.user
    # Checked for the whole server: a channel's own permissions do not make a moderator.
    if find_server(interaction) is None or not isinstance(member, discord.Member):
        return False
    may = member.guild_permissions
    is_named = any(role.id in settings.moderator_role_ids for role in member.roles)
    return may.manage_messages or may.manage_guild or is_named


def require_moderator(interaction: discord.Interaction[Any], settings: GuildSettings) -> int:
    """Return the server's id. Raises UserError if the person is not a moderator there."""
    guild_id = find_server(interaction)
    if guild_id is None or not is_moderator(interaction, settings):
        raise UserError(texts.NOT_MODERATOR())
    return guild_id


def is_manager(interaction: discord.Interaction[Any]) -> bool:
    """Return whether this person has Manage Server."""
    member = interaction.user
    if find_server(interaction) is None or not isinstance(member, discord.Member):
        return False
    return member.guild_permissions.manage_guild


def require_manager(interaction: discord.Interaction[Any]) -> int:
    """Require Manage Server; return the guild's id. Raises UserError."""
    guild_id = find_server(interaction)
    if guild_id is None or not is_manager(interaction):
        raise UserError(texts.NOT_MANAGER())
    return guild_id


def require_owner(interaction: discord.Interaction[Any]) -> int:
    """Require the owner of the server; return its id. Raises UserError."""
    guild, guild_id = interaction.guild, find_server(interaction)
    if guild is None or guild_id is None or guild.owner_id != interaction.user.id:
        raise UserError(texts.NOT_SERVER_OWNER())
    return guild_id


def require_other(interaction: discord.Interaction[Any], member_id: int) -> None:
    """Raise UserError if somebody decides about themselves, unless they own the server."""
    guild = interaction.guild
    if interaction.user.id == member_id and (guild is None or guild.owner_id != member_id):
        raise UserError(texts.NOT_OWN())


async def require_rank(interaction: discord.Interaction[Any], member_id: int) -> None:
    """Require a moderator who ranks above the member. Raises UserError."""
    guild, moderator = interaction.guild, interaction.user
    if guild is None or not isinstance(moderator, discord.Member):
        raise UserError(texts.NOT_MODERATOR())
    if member_id == guild.owner_id:
        raise UserError(texts.NOT_OWNER())
    if moderator.id == guild.owner_id:
        return
    try:
        member = await guild.fetch_member(member_id)
    except discord.NotFound:  # the member has left, but may come back
        return
    if member.top_role >= moderator.top_role:
        raise UserError(texts.NOT_ABOVE())
