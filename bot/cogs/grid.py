"""The buttons under a grid and under a single picture."""

from __future__ import annotations

import logging
from typing import Any

import discord
from discord.ext import commands

from bot.chat.client import TriptychClient
from bot.chat.interactions import (
    answer_gone,
    fetch_job,
    fetch_models,
    fetch_with_picture,
    submit,
)
from bot.chat.permissions import manages_messages
from bot.chat.pictures import send_pictures
from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import Job
from bot.domain.pictures import ENLARGED
from bot.errors import UserError
from bot.jobs.ports import NoMessage, NotPosted
from bot.ops.logs import of_job
from bot.recipes.derive import (
    compose_again,
    compose_redraw,
    compose_upscale,
    compose_variation,
)
from bot.services import Services
from bot.texts import jobs as texts
from bot.texts.buttons import DELETE_FOR_GOOD, DELETE_PICTURES
from bot.views import jobs as job_views
from bot.views import recipes as recipe_views
from bot.views.components import JobButton

log = logging.getLogger(__name__)

Press = discord.Interaction[TriptychClient]


class Grid(commands.Cog):
    """Handles the buttons. Anybody may view, vary and draw again, with their own quota."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def pick(self, interaction: Press, job_id: int, panel: int) -> None:
        """Show one picture alone, only to the person who pressed."""
        await self._show(interaction, job_id, panel, is_original=False)

    async def original(self, interaction: Press, job_id: int, panel: int) -> None:
        """Show a picture in the size in which it was drawn, not enlarged."""
        await self._show(interaction, job_id, panel, is_original=True)

    async def _show(
        self, interaction: Press, job_id: int, panel: int, *, is_original: bool
    ) -> None:
        job = await fetch_with_picture(interaction, job_id, panel)
        if job is None:
            return
        await interaction.response.defer(ephemeral=True, thinking=True)
        files = await self._services.jobs.list_pictures(job_id)
        paths = await self._services.writer.locate(files)
        if paths is None:
            raise UserError(texts.NO_SUCH_PICTURE())
        by_panel = {file.panel: path for file, path in zip(files, paths, strict=True)}
        path = by_panel[panel] if is_original else by_panel.get(panel + ENLARGED, by_panel[panel])
        can_upscale = self._services.upscaler is not None
        offered, _ = await fetch_models(interaction)
        can_edit = any(each.can_edit_now for each in offered)

        async def show(files: list[discord.File]) -> None:
            name = files[0].filename
            view = recipe_views.compose_single(
                job, panel, name, can_upscale=can_upscale, can_edit=can_edit
            )
            await interaction.edit_original_response(view=view, attachments=files)

        shown = {f"triptych-{job_id}-{panel}": path}
        alt_text = job_views.describe_panel(job, panel)
        turn = interaction.client.showing.hold(interaction.user.id)
        await send_pictures(turn, shown, show, alt_text=alt_text, spoiler=job.spoiler)

    async def vary(self, interaction: Press, job_id: int, panel: int) -> None:
        """Draw three variations of one picture."""
        job = await fetch_with_picture(interaction, job_id, panel)
        if job is not None:
            await submit(interaction, compose_variation(job, panel))

    async def upscale(self, interaction: Press, job_id: int, panel: int) -> None:
        """Enlarge a picture with the upscaler. If there is none, draw the picture again, larger."""
        job = await fetch_with_picture(interaction, job_id, panel)
        upscaler, most = self._services.upscaler, self._services.limits.max_side_pixels
        if job is not None and upscaler is not None:
            await submit(interaction, compose_upscale(job, panel, upscaler, most))
        elif job is not None:
            await submit(interaction, compose_redraw(job, panel))

    async def redraw(self, interaction: Press, job_id: int, panel: int) -> None:
        """Draw the same picture with twice the width and height."""
        job = await fetch_with_picture(interaction, job_id, panel)
        if job is not None:
            await submit(interaction, compose_redraw(job, panel))

    async def reroll(self, interaction: Press, job_id: int, panel: int) -> None:
        """Draw the same recipe with new seeds. This works after the pictures are deleted, too."""
        job = await fetch_job(interaction, job_id)
        await submit(interaction, compose_again(job))

    async def more(self, interaction: Press, job_id: int, panel: int) -> None:
        """Show the recipe, with a Delete button for those who may delete."""
        job = await fetch_job(interaction, job_id, even_sealed=True)
        is_sealed = await self._services.gate.is_sealed(job)
        if job.deleted_at is not None and not is_sealed:
            await answer_gone(interaction, job)
            return
        style = discord.ButtonStyle.danger
        delete = JobButton("delete", job_id, label=DELETE_PICTURES(), style=style)
        buttons = [delete] if _may_delete(job, interaction) else []
        if is_sealed:
            row = discord.ui.ActionRow[Any](*buttons) if buttons else None
            sealed = job_views.compose_view(texts.SEALED(), row)
            await interaction.response.send_message(view=sealed, ephemeral=True)
            return
        view, files = recipe_views.compose_recipe(job, *buttons)
        await interaction.response.send_message(view=view, files=files, ephemeral=True)

    async def delete(self, interaction: Press, job_id: int, panel: int) -> None:
        """Ask for confirmation. The pictures are deleted only when the second button is pressed."""
        await _fetch_to_delete(interaction, job_id)
        style = discord.ButtonStyle.danger
        button = JobButton("erase", job_id, label=DELETE_FOR_GOOD(), style=style)
        row = discord.ui.ActionRow[Any](button)
        view = job_views.compose_view(texts.DELETE_FOR_GOOD(), row)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def erase(self, interaction: Press, job_id: int, panel: int) -> None:
        """Delete from the database first. If a later step fails, a second press tries it again."""
        job = await _fetch_to_delete(interaction, job_id)
        await interaction.response.defer()
        now, by = self._services.now(), interaction.user.id
        async with self._services.jobs.transaction():
            marked = await self._services.jobs.mark_deleted(job_id, deleted_by=by, now=now)
            is_removal = marked is not None and by != job.origin.user_id
            if is_removal:
                await self._services.audit.add(
                    AuditEntry(
                        AuditAction.PICTURES_DELETED,
                        now,
                        guild_id=job.origin.guild_id,
                        actor_id=by,
                        member_id=job.origin.user_id or None,
                        job_id=job_id,
                    )
                )
        of_job(log, job_id).info("the pictures were deleted by user %s", interaction.user.id)
        await self._services.writer.remove(job_id)
        is_gone = await _delete_message(interaction.client, job)
        text = texts.DELETED if is_gone else texts.DELETED_BUT_SHOWN
        view = job_views.compose_view(text())
        await interaction.edit_original_response(view=view)
        if is_removal and job.origin.guild_id is not None:
            notices, member_id = self._services.notices, job.origin.user_id
            await notices.tell_removed(job.origin.guild_id, member_id, job_id)


async def _fetch_to_delete(interaction: Press, job_id: int) -> Job:
    """Fetch the job. Raises UserError if this person may not delete it."""
    job = await fetch_job(interaction, job_id, even_sealed=True)
    if not _may_delete(job, interaction):
        raise UserError(texts.NOT_YOURS_TO_DELETE())
    return job


def _may_delete(job: Job, interaction: Press) -> bool:
    """Return whether this person may delete the job. ``fetch_job`` already checked the channel."""
    is_author = interaction.user.id == job.origin.user_id
    return is_author or manages_messages(interaction)


async def _delete_message(client: TriptychClient, job: Job) -> bool:
    """Delete the message; return whether the pictures are no longer shown."""
    if job.message_id is None or job.origin.channel_id is None:
        return True
    try:
        await client.messenger.remove_message(job.origin.channel_id, job.message_id)
    except NoMessage:
        return True
    except NotPosted as error:
        of_job(log, job.job_id).info("the message was not deleted: %s", error)
        return False
    return True


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Grid(bot.services)
    looking = (cog.pick, cog.original, cog.more)
    drawing = (cog.vary, cog.upscale, cog.redraw, cog.reroll)
    for action in (*looking, *drawing, cog.delete, cog.erase):
        bot.add_button_action(action.__name__, action)
    await bot.add_cog(cog)
