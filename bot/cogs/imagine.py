"""/imagine: reads what a member typed and hands it to intake."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext.commands import Cog

from bot.chat.client import TriptychClient
from bot.chat.interactions import submit
from bot.chat.offers import anywhere
from bot.chat.parsing import parse_seed, parse_size
from bot.chat.suggestions import or_nothing
from bot.chat.translator import describe, list_choices
from bot.domain.recipes import Ask, StartPicture, Upload
from bot.domain.samplers import SAMPLERS, find_sampler, name_sampler
from bot.engine.api import ModelInfo
from bot.errors import UserError
from bot.images.uploads import check_size
from bot.recipes.presets import DEFAULT_STRENGTH
from bot.services import Services
from bot.texts import commands, recipes
from bot.texts.catalog import Text
from bot.texts.codes import Code
from bot.texts.reasons import because

_MAX_CHOICES = 25


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
        refusal = width = height = parsed_seed = None
        try:
            width, height = parse_size(size, self._list_shapes())
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
        )
        try:
            ask = await self._services.guilds.styles.apply(ask, style, interaction.guild_id)
        except UserError as error:
            refusal = refusal or error.reason
        await submit(interaction, ask, refusal)

    @imagine.autocomplete("sampler")
    async def _complete_sampler(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        info = self._services.waitlist.info
        offered = info.samplers if info else tuple(SAMPLERS)
        wanted = current.strip().lower()
        return [
            app_commands.Choice(name=name_sampler(sampler), value=sampler)
            for sampler in offered
            if wanted in f"{sampler} {name_sampler(sampler)}".lower()
            or find_sampler(wanted) == sampler
        ][:_MAX_CHOICES]

    @imagine.autocomplete("style")
    @or_nothing
    async def _complete_style(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        styles = await self._services.guilds.styles.list_of(interaction.guild_id)
        wanted = current.strip().lower()
        names = [style.name for style in styles if wanted in style.name]
        return [app_commands.Choice(name=name, value=name) for name in names][:_MAX_CHOICES]

    def _list_shapes(self) -> dict[str, str]:
        """Map the name of each shape that the model draws to its size."""
        info = self._services.waitlist.info
        sizes = list_sizes(info, self._services.limits.max_side_pixels) if info else []
        # If several sizes have the same shape, use the first, which is the usual size.
        return {name().lower(): size for name, _, size in reversed(sizes)}

    @imagine.autocomplete("size")
    async def _complete_size(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        info = self._services.waitlist.info
        sizes = list_sizes(info, self._services.limits.max_side_pixels) if info else []
        names = {size: shape(size=size) for _, shape, size in sizes}
        return [
            app_commands.Choice(name=name, value=size)
            for size, name in names.items()
            if current.lower() in name.lower()
        ]


def _check_image(image: discord.Attachment | None, strength: float | None) -> None:
    """Check that picture and strength fit together. Raises UserError."""
    if image is not None:
        check_size(image.size)
    elif strength is not None:
        raise UserError(because(Code.STRENGTH_WITHOUT_PICTURE))


def list_sizes(info: ModelInfo, max_side_pixels: int) -> list[tuple[Text, Text, str]]:
    """List the sizes to suggest: those that the model was trained with, or else its native size and
    a wider and a taller one. Each entry is the name of its shape, the text of the suggestion and
    the size.
    """

    def stretch(side: int) -> int:
        longer = side * 3 // 2
        return longer - longer % info.size_multiple

    own = (info.width, info.height)
    sizes = info.sizes or (own, (own[0], stretch(own[1])), (stretch(own[0]), own[1]))
    return [
        (*_name_shape(width, height, own), f"{width}x{height}")
        for width, height in sizes
        if max(width, height) <= max_side_pixels
    ]


def _name_shape(width: int, height: int, own: tuple[int, int]) -> tuple[Text, Text]:
    """Name a shape by comparing it with the model's native one."""
    if width * own[1] == height * own[0]:
        return recipes.SQUARE, recipes.SUGGEST_SQUARE
    if width * own[1] < height * own[0]:
        return recipes.PORTRAIT, recipes.SUGGEST_PORTRAIT
    return recipes.LANDSCAPE, recipes.SUGGEST_LANDSCAPE


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(Imagine(bot.services))
