"""/style: the styles of a server."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import find_server
from bot.domain.recipes import Style
from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.services import Services
from bot.views import jobs as job_views

Press = discord.Interaction[TriptychClient]
_MAX_CHOICES = 25


@in_servers
@app_commands.default_permissions(manage_guild=True)
class StyleCommands(
    commands.GroupCog, group_name="style", group_description="The styles of this server"
):
    """Discord offers it to people with Manage Server; it is asked for again here."""

    def __init__(self, services: Services) -> None:
        self._styles = services.guilds.styles

    @app_commands.command(description="Add a style, or change one")
    @app_commands.describe(
        name="Lower-case letters, digits, spaces and hyphens",
        before="Put before the prompt",
        after="Put after the prompt",
        negative_prompt="What to avoid",
        sampler="Used where the member names none",
        steps="Used where the member names none",
    )
    async def save(
        self,
        interaction: Press,
        name: str,
        before: str = "",
        after: str = "",
        negative_prompt: str = "",
        sampler: str | None = None,
        steps: app_commands.Range[int, 1, 1000] | None = None,
    ) -> None:
        """Its texts are judged with every prompt they are put around."""
        guild_id = _check_guild(interaction)
        style = Style(
            clean_prompt(name),
            before=clean_prompt(before),
            after=clean_prompt(after),
            negative_prompt=clean_prompt(negative_prompt),
            sampler=sampler.strip().lower() if sampler else None,
            num_inference_steps=steps,
        )
        await self._styles.put(guild_id, style, interaction.user.id)
        text = f"Saved. `/imagine style:{job_views.quote(style.name.lower())}` uses it."
        await interaction.response.send_message(text, ephemeral=True)

    @app_commands.command(description="Take a style away from this server")
    @app_commands.describe(name="Which one")
    async def remove(self, interaction: Press, name: str) -> None:
        """Also one that comes with Triptych."""
        await self._styles.remove(_check_guild(interaction), name, interaction.user.id)
        await interaction.response.send_message("Removed.", ephemeral=True)

    @app_commands.command(name="list", description="The styles that /imagine offers here")
    async def list_(self, interaction: Press) -> None:
        """With what each puts around a prompt."""
        styles = await self._styles.list_of(interaction.guild_id)
        text = job_views.describe_styles(styles)
        await interaction.response.send_message(text, ephemeral=True)

    @remove.autocomplete("name")
    async def _complete_name(
        self, interaction: Press, current: str
    ) -> list[app_commands.Choice[str]]:
        styles = await self._styles.list_of(interaction.guild_id)
        names = [style.name for style in styles if current.strip().lower() in style.name]
        return [app_commands.Choice(name=name, value=name) for name in names][:_MAX_CHOICES]


def _check_guild(interaction: Press) -> int:
    guild_id = find_server(interaction)
    if guild_id is None or not interaction.permissions.manage_guild:
        raise UserError(
            "Only people with Manage Server can change this server's styles. Nothing was changed."
        )
    return guild_id


async def setup(bot: TriptychClient) -> None:
    """Called by load_extension."""
    await bot.add_cog(StyleCommands(bot.services))
