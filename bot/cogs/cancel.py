"""/cancel and the Cancel button."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import anywhere
from bot.domain.jobs import Job
from bot.errors import UserError
from bot.services import Services
from bot.texts import jobs as texts
from bot.texts.commands import CANCEL
from bot.views import jobs as job_views


class Cancel(commands.Cog):
    """Cancels prompts that are in the queue."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=CANCEL.english)
    @anywhere
    async def cancel(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Cancel the member's only prompt. If there are several, ask which one."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        waiting = await self._services.jobs.list_waiting_of(interaction.user.id)
        if len(waiting) > 1:
            view = job_views.compose_choice_to_cancel(waiting)
            await interaction.edit_original_response(view=view)
            return
        text = await self._cancel_all(waiting)
        await interaction.edit_original_response(content=text)

    async def press_all(
        self, interaction: discord.Interaction[TriptychClient], number: int, panel: int
    ) -> None:
        """Cancel all prompts of the member who pressed the button."""
        await interaction.response.defer()
        waiting = await self._services.jobs.list_waiting_of(interaction.user.id)
        view = job_views.compose_view(await self._cancel_all(waiting))
        await interaction.edit_original_response(view=view)

    async def _cancel_all(self, waiting: Sequence[Job]) -> str:
        ended = [await self._services.dispatcher.cancel(job.job_id) for job in waiting]
        count = sum(job is not None for job in ended)
        return texts.CANCELLED(count=count) if count else texts.NOTHING_TO_CANCEL()

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
    """Add the commands, buttons and forms of this file."""
    cog = Cancel(bot.services)
    bot.add_button_action("cancel", cog.press)
    bot.add_button_action("cancelall", cog.press_all)
    await bot.add_cog(cog)
