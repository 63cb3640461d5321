"""/privacy: shows, exports and deletes the data kept about a member."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence

import discord
from discord import app_commands
from discord.ext.commands import GroupCog

from bot.chat.client import TriptychClient
from bot.chat.offers import anywhere
from bot.services import Services
from bot.texts import commands
from bot.texts import privacy as texts
from bot.views import moderation as moderation_views
from bot.views.files import pack_json

_EXPORT_NAME = "triptych-my-data.json"


@anywhere
class Privacy(GroupCog, group_name="privacy", group_description=commands.PRIVACY.english):
    """Answers every member, in servers and in direct messages."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=commands.PRIVACY_ABOUT.english)
    async def about(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Explain what is kept, only to the member who asks."""
        await interaction.response.send_message(texts.ABOUT(), ephemeral=True)

    @app_commands.command(description=commands.PRIVACY_EXPORT.english)
    async def export(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Send the member's data as JSON, compressed if it is large."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        found = await self._services.member_data.export(interaction.user.id)
        data, name = await asyncio.to_thread(pack_json, found, _EXPORT_NAME)
        file = discord.File(io.BytesIO(data), name)
        await interaction.edit_original_response(attachments=[file])

    @app_commands.command(description=commands.PRIVACY_DELETE.english)
    async def delete(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Ask first. Nothing is deleted before the button is pressed."""
        view = moderation_views.compose_deletion()
        await interaction.response.send_message(view=view, ephemeral=True)

    async def press(
        self, interaction: discord.Interaction[TriptychClient], path: str, values: Sequence[str]
    ) -> None:
        """Delete the data of the person who pressed."""
        await interaction.response.defer()
        interaction.client.drafts.forget(interaction.user.id)
        count, num_messages = await self._services.member_data.delete(interaction.user.id)
        text = moderation_views.say_deleted(count, num_messages)
        view = moderation_views.compose_text(text)
        await interaction.edit_original_response(view=view)


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Privacy(bot.services)
    bot.add_panel_action("privacy", cog.press)
    await bot.add_cog(cog)
