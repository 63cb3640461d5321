"""/cancel and the Cancel button."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import anywhere
from bot.errors import UserError
from bot.services import Services
from bot.texts import jobs as texts
from bot.texts.commands import CANCEL


class Cancel(commands.Cog):
    """Cancels prompts that are in the queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=CANCEL.english)
    @anywhere
    async def cancel(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Cancel all prompts of the member who asks."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        waiting = await self._services.jobs.list_waiting_of(interaction.user.id)
        ended = [await self._services.dispatcher.cancel(job.job_id) for job in waiting]
        count = sum(job is not None for job in ended)
        text = texts.CANCELLED(count=count) if count else texts.NOTHING_TO_CANCEL()
        await interaction.edit_original_response(content=text)

    async def press(
        self, interaction: discord.Interaction[TriptychClient], job_id: int, panel: int
    ) -> None:
        """Cancel the prompt whose button was pressed. Only its author may."""
        job = await self._services.jobs.fetch_job(job_id)
        if job is None or job.origin.user_id != interaction.user.id:
            raise UserError(texts.NOT_YOURS())
        await interaction.response.defer()
        if await self._services.dispatcher.cancel(job_id) is None:
            raise UserError(texts.TOO_LATE())
        await interaction.followup.send(texts.CANCELLED(count=1), ephemeral=True)


async def setup(bot: TriptychClient) -> None:
    """Called by load_extension."""
    cog = Cancel(bot.services)
    bot.add_button_action("cancel", cog.press)
    await bot.add_cog(cog)
