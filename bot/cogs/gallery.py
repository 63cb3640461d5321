"""/gallery and /recipe: a member's own pictures, and the recipe behind a message."""

from __future__ import annotations

import re

import discord
from discord import app_commands
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.interactions import fetch_job, fetch_job_of
from bot.chat.offers import anywhere
from bot.chat.permissions import can_read
from bot.chat.translator import describe
from bot.domain.jobs import Job
from bot.errors import UserError
from bot.images.render import encode_small
from bot.services import Services
from bot.texts import jobs as texts
from bot.texts.commands import GALLERY, RECIPE, RECIPE_OPTIONS
from bot.views import jobs as job_views
from bot.views import recipes as recipe_views

Press = discord.Interaction[TriptychClient]
_PAGE = 4
_THUMBNAIL_PIXELS = 768
_NEWEST = 2**63 - 1
_LINK = re.compile(
    r"\s*<?https?://(?:[a-z]+\.)?discord(?:app)?\.com/channels/(@me|\d{1,20})/(\d{1,20})/(\d{1,20})>?\s*"
)


class Gallery(commands.Cog):
    """Shows pictures and recipes, only to the member who asks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=GALLERY.english)
    @anywhere
    async def gallery(self, interaction: Press) -> None:
        """Show the first page."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._show_page(interaction, _NEWEST)

    async def turn(self, interaction: Press, job_id: int, panel: int) -> None:
        """Show the next page: pictures from jobs older than this one."""
        await interaction.response.defer()
        await self._show_page(interaction, min(job_id, _NEWEST))

    @app_commands.command(description=RECIPE.english)
    @anywhere
    @describe(RECIPE_OPTIONS)
    async def recipe(self, interaction: Press, link: str) -> None:
        """Show the recipe behind a message that the member can see."""
        match = _LINK.fullmatch(link)
        if match is None:
            raise UserError(texts.NO_LINK())
        job = await self._services.jobs.fetch_by_message(min(int(match[3]), _NEWEST))
        if job is None or not _can_see(interaction, job):
            raise UserError(texts.NO_SUCH_PICTURE())
        await send_recipe(interaction, await fetch_job(interaction, job.job_id, seen=True))

    async def _show_page(self, interaction: Press, before: int) -> None:
        async with interaction.client.showing.hold(interaction.user.id):
            await self._send_page(interaction, before)

    async def _send_page(self, interaction: Press, before: int) -> None:
        jobs = await self._services.jobs.list_gallery(
            interaction.user.id, before=before, limit=_PAGE + 1
        )
        shown: list[tuple[Job, discord.File]] = []
        for job in jobs[:_PAGE]:
            file = await self._load(job)
            if file is not None:
                shown.append((job, file))
        has_more = len(jobs) > _PAGE
        older = jobs[_PAGE - 1].job_id if has_more else None
        view = recipe_views.compose_gallery(
            [(job, file.filename) for job, file in shown],
            older=older,
            is_first=before == _NEWEST,
        )
        files = [file for _, file in shown]
        await interaction.edit_original_response(view=view, attachments=files)

    async def _load(self, job: Job) -> discord.File | None:
        files = await self._services.jobs.list_pictures(job.job_id)
        paths = await self._services.writer.locate(files)
        if paths is None or await self._services.gate.is_sealed(job):
            return None
        small = await self._services.writer.run(encode_small, paths[0], _THUMBNAIL_PIXELS)
        alt_text = job_views.describe_job(job)
        name = f"triptych-{job.job_id}.webp"
        return discord.File(small, name, description=alt_text, spoiler=job.spoiler)


def _can_see(interaction: Press, job: Job) -> bool:
    """Return whether the member may read the channel where the job was requested."""
    origin, guild = job.origin, interaction.guild
    if origin.user_id == interaction.user.id or origin.channel_id == interaction.channel_id:
        return True
    if guild is None or origin.guild_id != guild.id or origin.channel_id is None:
        return False
    return can_read(interaction, origin.channel_id)


async def send_recipe(interaction: Press, job: Job) -> None:
    """Send the recipe so that only the member who asks sees it."""
    view, files = recipe_views.compose_recipe(job)
    await interaction.response.send_message(view=view, files=files, ephemeral=True)


@app_commands.context_menu(name="Recipe")
@anywhere
async def recipe_of_message(interaction: Press, message: discord.Message) -> None:
    """Answer *Apps → Recipe* on a message with a grid."""
    await send_recipe(interaction, await fetch_job_of(interaction, message.id))


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Gallery(bot.services)
    bot.add_button_action("gallery", cog.turn)
    bot.tree.add_command(recipe_of_message)
    await bot.add_cog(cog)
