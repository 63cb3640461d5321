"""/edit and the button Edit: change a picture as an instruction says."""

from __future__ import annotations

from dataclasses import replace

import discord
from discord import app_commands
from discord.ext.commands import Cog

from bot.chat.client import TriptychClient
from bot.chat.interactions import fetch_models, fetch_with_picture, submit
from bot.chat.offers import anywhere
from bot.chat.suggestions import fetch_info, or_nothing, suggest_models
from bot.chat.translator import describe
from bot.domain.recipes import Ask, StartPicture, Upload
from bot.errors import UserError
from bot.images.uploads import check_size
from bot.recipes.derive import compose_edit, fit_shape
from bot.texts import commands
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views import recipes as recipe_views
from bot.views.components import JobModal, open_form

Press = discord.Interaction[TriptychClient]


class Edit(Cog):
    """Changes a picture that a member sends."""

    @app_commands.command(description=commands.EDIT.english)
    @anywhere
    @describe(commands.EDIT_OPTIONS)
    async def edit(
        self,
        interaction: Press,
        picture: discord.Attachment,
        instruction: str,
        model: str | None = None,
    ) -> None:
        """Hand the instruction and the picture to intake."""
        refusal = None
        try:
            check_size(picture.size)
        except UserError as error:
            refusal = error.reason
        ask = Ask(
            instruction,
            width=picture.width,
            height=picture.height,
            start=StartPicture(0, 0, 1.0, edited=True),
            upload=Upload(picture.url, picture.size),
            model=model,
        )
        info = await fetch_info(interaction, model, ask.start)
        shaped = replace(ask, width=None, height=None) if info is None else fit_shape(ask, info)
        await submit(interaction, shaped, refusal)

    @edit.autocomplete("model")
    @or_nothing
    async def _complete_model(
        self, interaction: Press, current: str
    ) -> list[app_commands.Choice[str]]:
        return suggest_models(interaction, current, lambda model: model.edits)


async def open_edit(interaction: Press, job_id: int, panel: int) -> None:
    """Open the form for an instruction."""
    await open_form(interaction, "edit", job_id, panel)


async def compose_edit_form(interaction: Press, job_id: int, panel: int) -> JobModal | None:
    """Build the form, unless no model that this person may use can edit. Raises UserError."""
    job = await fetch_with_picture(interaction, job_id, panel)
    if job is None:
        return None
    offered, _ = await fetch_models(interaction)
    if not any(each.can_edit_now for each in offered):
        raise UserError(because(Code.NO_MODEL_EDITS))
    return recipe_views.compose_edit_form(job, panel)


async def send_edit(interaction: Press, job_id: int, panel: int, fields: dict[str, str]) -> None:
    """Edit the picture that the form is about, with its own model if that can edit."""
    job = await fetch_with_picture(interaction, job_id, panel)
    if job is None:
        return
    ask = compose_edit(job, panel, fields.get("instruction", ""))
    offered, _ = await fetch_models(interaction)
    able = [each.id for each in offered if each.can_edit_now]
    if job.recipe.model in able:
        ask = replace(ask, model=job.recipe.model)
    elif (info := await fetch_info(interaction, None, ask.start)) is not None:
        ask = fit_shape(ask, info)
    await submit(interaction, ask)


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    bot.add_button_action("edit", open_edit)
    bot.add_form("edit", compose_edit_form, send_edit)
    await bot.add_cog(Edit())
