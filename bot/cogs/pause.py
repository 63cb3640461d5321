"""/pause and /resume: whether one server takes new prompts."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext.commands import Cog

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import require_moderator
from bot.domain.audit import AuditAction
from bot.services import Services
from bot.texts import commands
from bot.texts import settings as texts


class Pause(Cog):
    """Stops and restarts the intake of prompts in one server."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=commands.PAUSE.english)
    @in_servers
    @app_commands.default_permissions(manage_messages=True)
    async def pause(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Take no new prompts. Prompts already in the queue are still drawn."""
        is_new = await self._set(interaction, is_paused=True)
        text = (texts.PAUSED if is_new else texts.ALREADY_PAUSED)()
        await interaction.response.send_message(text, ephemeral=True)

    @app_commands.command(description=commands.RESUME.english)
    @in_servers
    @app_commands.default_permissions(manage_messages=True)
    async def resume(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Take new prompts again."""
        is_new = await self._set(interaction, is_paused=False)
        text = (texts.RESUMED if is_new else texts.NOT_PAUSED)()
        await interaction.response.send_message(text, ephemeral=True)

    async def _set(
        self, interaction: discord.Interaction[TriptychClient], *, is_paused: bool
    ) -> bool:
        services = self._services
        guild_id = require_moderator(
            interaction, await services.settings.fetch(interaction.guild_id)
        )
        return await services.settings.change(
            guild_id,
            "is_paused",
            True if is_paused else None,
            actor_id=interaction.user.id,
            now=services.now(),
            action=AuditAction.PAUSED if is_paused else AuditAction.RESUMED,
        )


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(Pause(bot.services))
