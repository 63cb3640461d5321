"""Checks who may decide, at every press, because a server can offer a command to anybody."""

from __future__ import annotations

from typing import Any

import discord

from bot.domain.guilds import GuildSettings
from bot.errors import UserError
from bot.texts import review as texts


def find_server(interaction: discord.Interaction[Any]) -> int | None:
    """The id of the server where this happened, if that server has installed Triptych.

    None if only a person has installed it: that server's moderators have no rights here.
    """
    return interaction.guild_id if interaction.is_guild_integration() else None


def manages_messages(interaction: discord.Interaction[Any]) -> bool:
    """Whether this person may manage messages in this channel of the server."""
    return find_server(interaction) is not None and interaction.permissions.manage_messages


def require_moderator(interaction: discord.Interaction[Any], settings: GuildSettings) -> int:
    """Require Manage Messages or a role the server named; return its id. Raises UserError."""
    member, guild_id = interaction.user, find_server(interaction)
    # Checked for the whole server: a channel's own permissions do not make a moderator.
    if guild_id is not None and isinstance(member, discord.Member):
        may = member.guild_permissions
        is_named = any(role.id in settings.moderator_role_ids for role in member.roles)
        if may.manage_messages or may.manage_guild or is_named:
            return guild_id
    raise UserError(texts.NOT_MODERATOR())


def require_manager(interaction: discord.Interaction[Any]) -> int:
    """Require Manage Server; return the guild's id. Raises UserError."""
    member, guild_id = interaction.user, find_server(interaction)
    is_member = isinstance(member, discord.Member)
    if guild_id is None or not is_member or not member.guild_permissions.manage_guild:
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
    except discord.NotFound:  # has left, and may come back
        return
    if member.top_role >= moderator.top_role:
        raise UserError(texts.NOT_ABOVE())
