"""Who may decide, checked at every press: Discord's own permissions can be set to anything."""

from __future__ import annotations

from typing import Any

import discord

from bot import replies_review
from bot.errors import UserError
from bot.records import GuildSettings


def require_moderator(interaction: discord.Interaction[Any], settings: GuildSettings) -> None:
    """Manage Messages, or a role that the server has named. Raises UserError."""
    member = interaction.user
    if isinstance(member, discord.Member) and (
        member.guild_permissions.manage_messages  # not what one channel gives
        or any(role.id in settings.moderator_role_ids for role in member.roles)
    ):
        return
    raise UserError(replies_review.NOT_MODERATOR)


def require_other(interaction: discord.Interaction[Any], member_id: int) -> None:
    """Nobody but the owner decides about what is their own. Raises UserError."""
    guild = interaction.guild
    if interaction.user.id == member_id and (guild is None or guild.owner_id != member_id):
        raise UserError(replies_review.NOT_OWN)


async def require_rank(interaction: discord.Interaction[Any], member_id: int) -> None:
    """The moderator stands above the member, and nobody above the owner. Raises UserError."""
    guild, moderator = interaction.guild, interaction.user
    if guild is None or not isinstance(moderator, discord.Member):
        raise UserError(replies_review.NOT_MODERATOR)
    if member_id == guild.owner_id:
        raise UserError(replies_review.NOT_OWNER)
    if moderator.id == guild.owner_id:
        return
    try:
        member = await guild.fetch_member(member_id)
    except discord.NotFound:  # has left, and may come back
        return
    if member.top_role >= moderator.top_role:
        raise UserError(replies_review.NOT_ABOVE)
