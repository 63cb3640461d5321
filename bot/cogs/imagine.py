"""/imagine: from what a member typed to the one way in."""

from __future__ import annotations

import re

import discord
from discord import app_commands
from discord.ext import commands

from bot import replies
from bot.client import TriptychClient
from bot.engine.face import SAMPLER_IDS, ModelInfo
from bot.errors import UserError
from bot.jobs.parameters import PRESETS
from bot.messenger import InteractionCaller
from bot.moderation.text import clean_prompt
from bot.records import Ask, Origin
from bot.services import Services

_SIZE = re.compile(r"\s*(\d{1,5})\s*[x×*, ]\s*(\d{1,5})\s*")
_MAX_CHOICES = 25


class Imagine(commands.Cog):
    """Draw three pictures."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description="Draw three pictures from your words")
    @app_commands.describe(
        prompt="What to draw, for example: dog in autumn leaves",
        negative_prompt="What to avoid",
        steps="More steps take longer and can show more detail",
        guidance="How closely to follow the prompt",
        seed="The same seed draws the same pictures again",
        size="Width x height in pixels",
        sampler="The noise algorithm",
        preset="A ready-made choice of sampler, steps and guidance",
    )
    @app_commands.choices(
        preset=[
            app_commands.Choice(name=f"{name}: {preset.description}", value=name)
            for name, preset in PRESETS.items()
        ]
    )
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
        preset: str | None = None,
    ) -> None:
        """Parse, check the channel, and hand over to intake."""
        refusal = None if interaction.app_permissions.attach_files else replies.NO_PERMISSION
        width = height = parsed_seed = None
        try:
            width, height = parse_size(size)
            parsed_seed = parse_seed(seed)
        except UserError as error:
            refusal = refusal or str(error)
        ask = Ask(
            prompt=prompt,
            negative_prompt=negative_prompt,
            width=width,
            height=height,
            num_inference_steps=steps,
            guidance_scale=guidance,
            sampler=sampler.strip().lower() if sampler else None,
            seed=parsed_seed,
            preset=preset,
        )
        caller = InteractionCaller(interaction)
        await self._services.intake.submit(ask, parse_origin(interaction), caller, refusal)

    @imagine.autocomplete("sampler")
    async def _complete_sampler(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        info = self._services.line.info
        samplers = info.samplers if info else SAMPLER_IDS
        return [
            app_commands.Choice(name=sampler, value=sampler)
            for sampler in samplers
            if current.lower() in sampler
        ][:_MAX_CHOICES]

    @imagine.autocomplete("size")
    async def _complete_size(
        self, interaction: discord.Interaction[TriptychClient], current: str
    ) -> list[app_commands.Choice[str]]:
        info = self._services.line.info
        sizes = list_sizes(info, self._services.limits.max_side_pixels) if info else []
        return [
            app_commands.Choice(name=f"{size} ({shape})", value=size)
            for shape, size in sizes
            if current.lower() in f"{size} ({shape})"
        ]


def list_sizes(info: ModelInfo, max_side_pixels: int) -> list[tuple[str, str]]:
    """Shapes offered for a model: its native size, and that size stretched one way."""

    def stretch(side: int) -> int:
        longer = side * 3 // 2
        return longer - longer % info.size_multiple

    shapes = (
        ("square", info.width, info.height),
        ("portrait", info.width, stretch(info.height)),
        ("landscape", stretch(info.width), info.height),
    )
    return [
        (name, f"{width}x{height}")
        for name, width, height in shapes
        if max(width, height) <= max_side_pixels
    ]


def parse_size(text: str | None) -> tuple[int | None, int | None]:
    """ "512x768" → (512, 768). Raises UserError."""
    if not text:
        return None, None
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UserError(
            f"“{replies.quote(clean_prompt(text), 40)}” is not a size. Write width x height in "
            "pixels, for example 512x768. Nothing was drawn."
        )
    return int(match[1]), int(match[2])


def parse_seed(text: str | None) -> int | None:
    """A whole number; Discord's own integers end at 2⁵³, hence text. Raises UserError."""
    if not text or not text.strip():
        return None
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", text.strip()):
        raise UserError(
            f"“{replies.quote(clean_prompt(text), 40)}” is not a seed. Write a whole number from "
            "0 to 4,294,967,295, or leave it out. Nothing was drawn."
        )
    return int(text)


def parse_origin(interaction: discord.Interaction[TriptychClient]) -> Origin:
    """Who asked and where, and whether the bot itself may post there."""
    may = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    may_send = may.send_messages_in_threads if in_thread else may.send_messages
    if interaction.guild_id is None:
        bot_in_channel = interaction.context.dm_channel
    else:
        bot_in_channel = interaction.is_guild_integration() and may.view_channel and may_send
    channel, member = interaction.channel, interaction.user
    is_member = isinstance(member, discord.Member)
    return Origin(
        user_id=member.id,
        interaction_id=interaction.id,
        token=interaction.token,
        guild_id=interaction.guild_id,
        channel_id=interaction.channel_id,
        bot_in_channel=bot_in_channel,
        parent_channel_id=channel.parent_id if isinstance(channel, discord.Thread) else None,
        age_restricted=is_age_restricted(channel),
        role_ids=tuple(role.id for role in member.roles) if is_member else (),
        joined_at=member.joined_at.timestamp() if is_member and member.joined_at else None,
    )


def is_age_restricted(channel: object) -> bool:
    """Whether Discord shows the channel to adults only; never in direct messages."""
    is_nsfw = getattr(channel, "is_nsfw", None)
    return bool(is_nsfw and is_nsfw())


async def setup(bot: TriptychClient) -> None:
    """Called by load_extension."""
    await bot.add_cog(Imagine(bot.services))
