"""/help."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import anywhere
from bot.texts.commands import HELP
from bot.texts.help import LINES


class Help(commands.Cog):
    """Explains what Triptych does."""

    @app_commands.command(description=HELP.english)
    @anywhere
    async def help(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Send the help text, only to the member who asks."""
        text = "\n".join(line() for line in LINES)
        await interaction.response.send_message(text, ephemeral=True)


async def setup(bot: TriptychClient) -> None:
    """Called by load_extension."""
    await bot.add_cog(Help())
