"""/queue: shows the queue and the rest of the member's own quota."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import anywhere
from bot.chat.suggestions import fetch_info
from bot.domain.jobs import Origin
from bot.services import Services
from bot.texts.commands import QUEUE
from bot.views import jobs as job_views


class Queue(commands.Cog):
    """Shows the queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=QUEUE.english)
    @anywhere
    async def queue(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Show the queue, only to the member who asks."""
        services = self._services
        waitlist = services.waitlist
        places = waitlist.places()
        origin = Origin(interaction.user.id, guild_id=interaction.guild_id)
        own = await services.jobs.list_waiting_of(interaction.user.id)
        text = job_views.describe_queue(
            here=waitlist.count_of(interaction.guild_id) if interaction.guild_id else None,
            own=[(job, places.get(job.job_id)) for job in own],
            standing=await services.standing.fetch(origin, services.now()),
            quotas=services.intake.quotas,
            info=await fetch_info(interaction),
        )
        await interaction.response.send_message(text, ephemeral=True)


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(Queue(bot.services))
