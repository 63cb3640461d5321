"""/status: moderators see the state of their server, the bot's owner sees the whole process."""

from __future__ import annotations

import resource
import sys

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import require_moderator
from bot.jobs.queue.waits import WaitMeter
from bot.ops.logs import get_last_warnings
from bot.texts.commands import STATUS
from bot.views import status as status_views

_KIBIBYTES_PER_MEBIBYTE = 1024


class Status(commands.Cog):
    """Shows moderators the queue of their server, and the bot's owner the whole process."""

    def __init__(self, client: TriptychClient) -> None:
        self._client = client
        self._services = client.services
        self._waits = WaitMeter(client.services.jobs, client.services.now)

    @app_commands.command(description=STATUS.english)
    @app_commands.default_permissions(manage_messages=True)
    @in_servers
    async def status(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Show the state. Check the person first, because a server can offer this to anybody."""
        if self._client.is_run_by(interaction.user.id):
            text = await self._describe_process()
        else:
            text = await self._describe_here(interaction)
        await interaction.response.send_message(text, ephemeral=True)

    async def _describe_here(self, interaction: discord.Interaction[TriptychClient]) -> str:
        settings = await self._services.settings.fetch(interaction.guild_id)
        guild_id = require_moderator(interaction, settings)
        waitlist, waits = self._services.waitlist, await self._waits.measure(guild_id)
        return status_views.describe_here(
            waitlist.count_of(guild_id), waits, is_up=waitlist.info is not None
        )

    async def _describe_process(self) -> str:
        waitlist = self._services.waitlist
        return status_views.describe_process(
            counts=(len(waitlist.queue), len(waitlist.running)),
            waits=await self._waits.measure(),
            engines=self._services.engine.list_engines(),
            notes=self._services.engine.list_notes(),
            peak_memory_mib=_measure_peak_memory(),
            invalid_requests=self._client.rate_guard.num_invalid,
            chore_faults=self._services.chores.list_faults(),
            warnings=get_last_warnings(),
        )


def _measure_peak_memory() -> float:
    """Return the most memory this process has used, in MiB. Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _KIBIBYTES_PER_MEBIBYTE / (1024 if sys.platform == "darwin" else 1)


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(Status(bot))
