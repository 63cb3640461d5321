"""Report picture: turns a member's report into a card for the moderators."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.moderation.text import clean_prompt
from bot.services import Services
from bot.texts import review as texts
from bot.views.components import JobModal, open_form
from bot.views.review import REASON_MAX


class Reports(commands.Cog):
    """Lets members report pictures."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def ask(
        self, interaction: discord.Interaction[TriptychClient], message: discord.Message
    ) -> None:
        """Open the form if the message shows something that can be reported."""
        job = await self._services.reports.find(message.id, interaction.guild_id)
        await open_form(interaction, "report", job.job_id, 0)

    async def compose(
        self, interaction: discord.Interaction[TriptychClient], job_id: int, panel: int
    ) -> JobModal:
        """Build the form for a report."""
        form = JobModal("report", job_id, 0, title=texts.REPORT())
        form.add_item(
            discord.ui.Label(
                text=texts.REPORT_QUESTION(),
                description=texts.REPORT_HINT(),
                component=discord.ui.TextInput(
                    custom_id="reason",
                    style=discord.TextStyle.paragraph,
                    max_length=REASON_MAX,
                ),
            )
        )
        return form

    async def submit(
        self,
        interaction: discord.Interaction[Any],
        job_id: int,
        panel: int,
        fields: dict[str, str],
    ) -> None:
        """Save the report that the form contains."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        reason = clean_prompt(fields["reason"])
        await self._services.reports.take(job_id, interaction.user.id, reason, interaction.guild_id)
        await interaction.edit_original_response(content=texts.REPORTED())


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Reports(bot.services)
    menu = app_commands.ContextMenu(name="Report picture", callback=cog.ask)
    bot.tree.add_command(in_servers(menu), override=True)
    bot.add_form("report", cog.compose, cog.submit)
    await bot.add_cog(cog)
