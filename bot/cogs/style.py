"""/style: the styles of a server."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext.commands import GroupCog

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import find_server
from bot.chat.suggestions import or_nothing
from bot.chat.translator import describe
from bot.domain.recipes import Style
from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.services import Services
from bot.texts import commands
from bot.texts import recipes as texts
from bot.views import jobs as job_views
from bot.views.escape import quote

Press = discord.Interaction[TriptychClient]
_MAX_CHOICES = 25


@in_servers
@app_commands.default_permissions(manage_guild=True)
class StyleCommands(GroupCog, group_name="style", group_description=commands.STYLE.english):
    """Edits styles. Discord offers this to people with Manage Server, and we check that again."""

    def __init__(self, services: Services) -> None:
        self._styles = services.guilds.styles

    @app_commands.command(description=commands.STYLE_SAVE.english)
    @describe(commands.STYLE_SAVE_OPTIONS)
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
        """Save a style. Its texts are judged with every prompt that uses it."""
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
        text = texts.STYLE_SAVED(name=quote(style.name.lower()))
        await interaction.response.send_message(text, ephemeral=True)

    @app_commands.command(description=commands.STYLE_REMOVE.english)
    @describe(commands.STYLE_REMOVE_OPTIONS)
    async def remove(self, interaction: Press, name: str) -> None:
        """Remove a style, including one that comes with Triptych."""
        await self._styles.remove(_check_guild(interaction), name, interaction.user.id)
        await interaction.response.send_message(texts.STYLE_REMOVED(), ephemeral=True)

    @app_commands.command(name="list", description=commands.STYLE_LIST.english)
    async def list_(self, interaction: Press) -> None:
        """List the styles and the text that each adds to a prompt."""
        styles = await self._styles.list_of(interaction.guild_id)
        text = job_views.describe_styles(styles)
        await interaction.response.send_message(text, ephemeral=True)

    @remove.autocomplete("name")
    @or_nothing
    async def _complete_name(
        self, interaction: Press, current: str
    ) -> list[app_commands.Choice[str]]:
        styles = await self._styles.list_of(interaction.guild_id)
        names = [style.name for style in styles if current.strip().lower() in style.name]
        return [app_commands.Choice(name=name, value=name) for name in names][:_MAX_CHOICES]


def _check_guild(interaction: Press) -> int:
    guild_id = find_server(interaction)
    if guild_id is None or not interaction.permissions.manage_guild:
        raise UserError(texts.NOT_MANAGER())
    return guild_id


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(StyleCommands(bot.services))
