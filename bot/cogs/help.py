"""/help."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot import replies
from bot.client import TriptychClient
from bot.offers import anywhere


class Help(commands.Cog):
    """Say what Triptych does."""

    @app_commands.command(description="What Triptych does and how to ask")
    @anywhere
    async def help(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Only for the member who asks."""
        await interaction.response.send_message(replies.HELP, ephemeral=True)


async def setup(bot: TriptychClient) -> None:
    """Called by load_extension."""
    await bot.add_cog(Help())
