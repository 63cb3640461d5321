"""/imagine: reads what a member typed and hands it to intake."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext.commands import Cog

from bot.chat.client import TriptychClient
from bot.chat.interactions import submit
from bot.chat.offers import anywhere
from bot.chat.parsing import parse_seed, parse_size
from bot.chat.suggestions import (
    MAX_CHOICES,
    fetch_info,
    list_shapes,
    or_nothing,
    suggest_models,
    suggest_sizes,
    suggest_styles,
)
from bot.chat.translator import describe, list_choices
from bot.domain.recipes import Ask, StartPicture, Upload
from bot.domain.samplers import SAMPLERS, find_sampler, name_sampler
from bot.errors import UserError
from bot.images.uploads import check_size
from bot.recipes.presets import DEFAULT_STRENGTH
from bot.services import Services
from bot.texts import commands
from bot.texts.codes import Code
from bot.texts.reasons import because


class Imagine(Cog):
    """Draws three pictures from a prompt."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=commands.IMAGINE.english)
    @anywhere
    @describe(commands.IMAGINE_OPTIONS)
    @app_commands.choices(preset=list_choices(commands.PRESETS))
    async def imagine(
        self,
        interaction: discord.Interaction[TriptychClient],
        prompt: str,
        negative_prompt: str = "",
        model: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        seed: str | None = None,
        size: str | None = None,
        sampler: str | None = None,
        clip_skip: int | None = None,
        preset: str | None = None,
        style: str | None = None,
        image: discord.Attachment | None = None,
        strength: float | None = None,
    ) -> None:
        """Read the options and hand them to intake."""
        info = await fetch_info(interaction, model) if size or style else None
        refusal = width = height = parsed_seed = None
        try:
            width, height = parse_size(size, list_shapes(self._services, info))
            parsed_seed = parse_seed(seed)
            _check_image(image, strength)
        except UserError as error:
            refusal = error.reason
        ask = Ask(
            prompt=prompt,
            negative_prompt=negative_prompt,
            width=width,
            height=height,
            num_inference_steps=steps,
            guidance_scale=guidance,
            sampler=sampler.strip().lower() if sampler else None,
            clip_skip=clip_skip,
            seed=parsed_seed,
            preset=preset,
            start=image and StartPicture(0, 0, DEFAULT_STRENGTH if strength is None else strength),
            upload=image and Upload(image.url, image.size),
            model=model,
        )
        try:
            styles, guild_id = self._services.guilds.styles, interaction.guild_id
            ask = await styles.apply(ask, style, guild_id, info)
        except UserError as error:
            refusal = refusal or error.reason
        await submit(interaction, ask, refusal)

    @imagine.autocomplete("model")
    async def _complete_model(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        return suggest_models(interaction, current, lambda model: not model.only_edits)

    @imagine.autocomplete("sampler")
    @or_nothing
    async def _complete_sampler(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        info = await fetch_info(interaction, interaction.namespace.model)
        offered = info.samplers if info else tuple(SAMPLERS)
        wanted = current.strip().lower()
        return [
            app_commands.Choice(name=name_sampler(sampler), value=sampler)
            for sampler in offered
            if wanted in f"{sampler} {name_sampler(sampler)}".lower()
            or find_sampler(wanted) == sampler
        ][:MAX_CHOICES]

    @imagine.autocomplete("style")
    @or_nothing
    async def _complete_style(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        return await suggest_styles(interaction, current)

    @imagine.autocomplete("size")
    @or_nothing
    async def _complete_size(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        info = await fetch_info(interaction, interaction.namespace.model)
        return suggest_sizes(self._services, info, current)


def _check_image(image: discord.Attachment | None, strength: float | None) -> None:
    """Check that picture and strength fit together. Raises UserError."""
    if image is not None:
        check_size(image.size)
    elif strength is not None:
        raise UserError(because(Code.STRENGTH_WITHOUT_PICTURE))


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(Imagine(bot.services))
