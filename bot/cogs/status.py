"""/status: how Triptych is, for moderators."""

from __future__ import annotations

import resource
import sys

import discord
from discord import app_commands
from discord.ext import commands

from bot import replies_status
from bot.client import TriptychClient
from bot.logs import get_last_warnings
from bot.upkeep import WaitMeter

_KIBIBYTES_PER_MEBIBYTE = 1024


class Status(commands.Cog):
    """Line, waits, engine, memory, last warnings."""

    def __init__(self, client: TriptychClient) -> None:
        self._client = client
        self._services = client.services
        self._waits = WaitMeter(client.services.jobs, client.services.now)

    @app_commands.command(description="How Triptych is: line, waits, engine, memory, last errors")
    @app_commands.default_permissions(manage_messages=True)
    @app_commands.guild_only()
    async def status(self, interaction: discord.Interaction[TriptychClient]) -> None:
        """Only for the moderator who asks; Discord's settings may open it to others."""
        if not interaction.permissions.manage_messages:
            await interaction.response.send_message(replies_status.NOT_A_MODERATOR, ephemeral=True)
            return
        services = self._services
        text = replies_status.describe_status(
            length=len(services.line.queue),
            drawing=len(services.line.running),
            waits=await self._waits.measure(),
            info=services.line.info,
            peak_memory_mib=_measure_peak_memory(),
            invalid_requests=self._client.breaker.num_invalid,
            warnings=get_last_warnings(),
        )
        await interaction.response.send_message(text, ephemeral=True)


def _measure_peak_memory() -> float:
    """Mebibytes of this process at its largest; Linux counts in kibibytes, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _KIBIBYTES_PER_MEBIBYTE / (1024 if sys.platform == "darwin" else 1)


async def setup(bot: TriptychClient) -> None:
    """Called by load_extension."""
    await bot.add_cog(Status(bot))
