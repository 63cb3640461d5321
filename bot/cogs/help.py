"""/help."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import anywhere
from bot.views import jobs as job_views


class Help(commands.Cog):
    """Say what Triptych does."""

    @app_commands.command(description="What Triptych does and how to ask")
    @anywhere
    async def help(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Only for the member who asks."""
        await interaction.response.send_message(job_views.HELP, ephemeral=True)


async def setup(bot: TriptychClient) -> None:
    """Called by load_extension."""
    await bot.add_cog(Help())
