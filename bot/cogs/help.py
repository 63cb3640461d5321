"""/help."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import anywhere
from bot.chat.permissions import find_server, is_manager, is_moderator
from bot.services import Services
from bot.texts import help as texts
from bot.texts.catalog import Text
from bot.texts.commands import HELP
from bot.views.jobs import compose_view


class Help(commands.Cog):
    """Explains what Triptych does."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=HELP.english)
    @anywhere
    async def help(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Send the help text, only to the member who asks."""
        lines = await self._list_lines(interaction)
        view = compose_view("\n".join(line() for line in lines))
        await interaction.response.send_message(view=view, ephemeral=True)

    async def _list_lines(self, interaction: discord.Interaction[TriptychClient]) -> list[Text]:
        """List the commands that this person may use in this place."""
        lines = list(texts.EVERYBODY)
        if find_server(interaction) is not None:
            settings = await self._services.settings.fetch(interaction.guild_id)
            lines += texts.IN_SERVERS
            lines += texts.MODERATORS if is_moderator(interaction, settings) else ()
            lines += texts.MANAGERS if is_manager(interaction) else ()
        if interaction.client.is_run_by(interaction.user.id):
            lines += texts.OWNERS
        return lines


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(Help(bot.services))
