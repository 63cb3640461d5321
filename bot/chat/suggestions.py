"""Suggests values for a command's options while a member types."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import discord
from discord import app_commands

from bot.chat.interactions import parse_origin
from bot.domain.recipes import Ask, StartPicture
from bot.engine.api import ModelInfo
from bot.errors import Explained
from bot.jobs.model_choice import choose_model
from bot.policy.models import OfferedModel
from bot.services import Services
from bot.texts import recipes
from bot.texts.catalog import Text
from bot.views.models import cut_id, name_choice

P = ParamSpec("P")
MAX_CHOICES = 25
"""The most suggestions that Discord allows."""

_Choices = Coroutine[Any, Any, list[app_commands.Choice[str]]]


def or_nothing(complete: Callable[P, _Choices]) -> Callable[P, _Choices]:
    """Return no suggestions after an error, because a list of suggestions cannot show it."""

    @functools.wraps(complete)
    async def attempt(*args: P.args, **kwargs: P.kwargs) -> list[app_commands.Choice[str]]:
        try:
            return await complete(*args, **kwargs)
        except Explained:
            return []

    return attempt


async def fetch_info(
    interaction: discord.Interaction[Any],
    typed: str | None = None,
    start: StartPicture | None = None,
) -> ModelInfo | None:
    """Return what the model that a person has typed can do; None until it is loaded.

    typed: None for the server's default. start: if it is edited, the default is a model that can do
    that. For a model that the person cannot use, this is the bot's default: intake then refuses the
    prompt.
    """
    services: Services = interaction.client.services
    origin = parse_origin(interaction)
    settings = await services.gate.fetch_settings(origin)
    ask, refusal = choose_model(
        services.models, Ask("", model=typed, start=start), origin, settings
    )
    return services.waitlist.find_info(None if refusal else ask.model)


def suggest_models(
    interaction: discord.Interaction[Any],
    current: str,
    fits: Callable[[OfferedModel], bool] = lambda _: True,
) -> list[app_commands.Choice[str]]:
    """Suggest the models that a person may use and whose name contains what was typed."""
    services: Services = interaction.client.services
    origin, wanted = parse_origin(interaction), current.strip().casefold()
    return [
        app_commands.Choice(name=name_choice(model), value=cut_id(model.id))
        for model in services.models.list_for(origin.guild_id, origin.role_ids)
        if fits(model) and wanted in f"{model.id} {model.label}".casefold()
    ][:MAX_CHOICES]


async def suggest_styles(
    interaction: discord.Interaction[Any], current: str
) -> list[app_commands.Choice[str]]:
    """Suggest the styles of a server that contain what was typed."""
    services: Services = interaction.client.services
    styles = await services.guilds.styles.list_of(interaction.guild_id)
    wanted = current.strip().lower()
    names = [style.name for style in styles if wanted in style.name]
    return [app_commands.Choice(name=name, value=name) for name in names][:MAX_CHOICES]


def suggest_sizes(
    services: Services, info: ModelInfo | None, current: str
) -> list[app_commands.Choice[str]]:
    """Suggest the sizes that the model draws well."""
    names = {size: shape(size=size) for _, shape, size in _list_known_sizes(services, info)}
    return [
        app_commands.Choice(name=name, value=size)
        for size, name in names.items()
        if current.lower() in name.lower()
    ]


def list_shapes(services: Services, info: ModelInfo | None) -> dict[str, str]:
    """Map the name of each shape that the model draws to its size."""
    # If several sizes have the same shape, use the first, which is the usual size.
    return {name().lower(): size for name, _, size in reversed(_list_known_sizes(services, info))}


def _list_known_sizes(services: Services, info: ModelInfo | None) -> list[tuple[Text, Text, str]]:
    return list_sizes(info, services.limits.max_side_pixels) if info else []


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
        (*_name_shape(width, height), f"{width}x{height}")
        for width, height in sizes
        if max(width, height) <= max_side_pixels
    ]


def _name_shape(width: int, height: int) -> tuple[Text, Text]:
    if width == height:
        return recipes.SQUARE, recipes.SUGGEST_SQUARE
    if width < height:
        return recipes.PORTRAIT, recipes.SUGGEST_PORTRAIT
    return recipes.LANDSCAPE, recipes.SUGGEST_LANDSCAPE
