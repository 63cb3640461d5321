"""/models: the models that a member can use, with their sizes, waits and licences."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.interactions import fetch_models
from bot.chat.offers import anywhere
from bot.services import Services
from bot.texts.commands import MODELS
from bot.views import models as views

_Interaction = discord.Interaction[TriptychClient]


class Models(commands.Cog):
    """Shows the models, only to the member who asks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=MODELS.english)
    @anywhere
    async def models(self, interaction: _Interaction) -> None:
        """Show the first page."""
        view = await self._compose(interaction, 0)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def turn(self, interaction: _Interaction, path: str, values: Sequence[str]) -> None:
        """Show another page. path: such as "page.1"."""
        page = path.partition(".")[2]
        view = await self._compose(interaction, int(page) if page.isdecimal() else 0)
        await interaction.response.edit_message(view=view)

    async def _compose(self, interaction: _Interaction, page: int) -> discord.ui.LayoutView:
        return views.compose_models(
            *await fetch_models(interaction),
            self._services.waitlist.estimate_default_wait,
            page=page,
            for_owner=interaction.client.is_run_by(interaction.user.id),
        )


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Models(bot.services)
    bot.add_panel_action(views.PANEL, cog.turn)
    await bot.add_cog(cog)
