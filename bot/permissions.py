"""Who may do what, checked in code: a command's default permissions are the server's to change."""

from __future__ import annotations

from typing import Any

import discord

from bot.errors import UserError
from bot.records import GuildSettings

ONLY_SERVERS = "This works only in a server. Nothing was changed."
ONLY_MANAGERS = "Only members with “Manage Server” may do this. Nothing was changed."
ONLY_MODERATORS = (
    "Only moderators may do this: members with “Manage Messages”, or with a moderator role from "
    "/settings. Nothing was changed."
)
ONLY_OWNER = "Only the owner of this server may do this. Nothing was changed."


def require_manager(interaction: discord.Interaction[Any]) -> int:
    """The guild's id. Raises UserError for all without Manage Server."""
    guild_id = _require_guild(interaction)
    if not _permissions_of(interaction).manage_guild:
        raise UserError(ONLY_MANAGERS)
    return guild_id


def require_moderator(interaction: discord.Interaction[Any], settings: GuildSettings) -> int:
    """The guild's id. Raises UserError. settings: of the guild."""
    guild_id = _require_guild(interaction)
    may = _permissions_of(interaction)
    roles = {role.id for role in getattr(interaction.user, "roles", ())}
    if may.manage_messages or may.manage_guild or roles & set(settings.moderator_role_ids):
        return guild_id
    raise UserError(ONLY_MODERATORS)


def require_owner(interaction: discord.Interaction[Any]) -> int:
    """The guild's id. Raises UserError for all but the owner of the server."""
    guild_id = _require_guild(interaction)
    if interaction.guild is None or interaction.guild.owner_id != interaction.user.id:
        raise UserError(ONLY_OWNER)
    return guild_id


def _require_guild(interaction: discord.Interaction[Any]) -> int:
    if interaction.guild_id is None or not interaction.is_guild_integration():
        raise UserError(ONLY_SERVERS)
    return interaction.guild_id


def _permissions_of(interaction: discord.Interaction[Any]) -> discord.Permissions:
    """In the whole server: what a channel gives to somebody does not make them its moderator."""
    user = interaction.user
    return user.guild_permissions if isinstance(user, discord.Member) else discord.Permissions()
