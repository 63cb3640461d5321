"""/strike, /suspend and /unsuspend, and the appeal of a suspended member."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.ext.commands import Cog, GroupCog

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import require_moderator, require_rank
from bot.chat.translator import describe
from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.services import Services
from bot.texts import commands
from bot.texts import review as review_texts
from bot.texts import sanctions as texts
from bot.texts.codes import Code
from bot.texts.reasons import because, own_words
from bot.views import review as review_views
from bot.views.components import JobModal, open_form

_MAX_DAYS = 365
_Reason = app_commands.Range[str, 1, review_views.REASON_MAX]


@in_servers
@app_commands.default_permissions(manage_messages=True)
class StrikeCommands(GroupCog, group_name="strike", group_description=commands.STRIKE.english):
    """Gives, lists and removes strikes. Strikes expire. A member with too many is suspended."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=commands.STRIKE_ADD.english)
    @describe(commands.STRIKE_ADD_OPTIONS)
    async def add(
        self,
        interaction: discord.Interaction[TriptychClient],
        member: discord.User,
        reason: _Reason,
    ) -> None:
        """Give a strike to a member who ranks below the moderator."""
        guild_id = await _check(self._services, interaction, member.id)
        sanctions = self._services.sanctions
        suspension = await sanctions.strike(
            guild_id, member.id, by=interaction.user.id, reason=own_words(clean_prompt(reason))
        )
        count = len(await sanctions.list_strikes(guild_id, member.id))
        told = await self._services.notices.tell_struck(guild_id, member.id)
        text = review_views.say_struck(member.id, suspension, count)
        await interaction.edit_original_response(content=review_views.add_told(text, told))

    @app_commands.command(name="list", description=commands.STRIKE_LIST.english)
    @describe(commands.STRIKE_LIST_OPTIONS)
    async def list_(
        self, interaction: discord.Interaction[TriptychClient], member: discord.User
    ) -> None:
        """Show a member's strikes. Any moderator may look."""
        guild_id = await _check(self._services, interaction)
        sanctions = self._services.sanctions
        text = review_views.say_strikes(
            member.id,
            await sanctions.list_strikes(guild_id, member.id),
            await sanctions.fetch_suspension(guild_id, member.id),
        )
        await interaction.edit_original_response(content=text)

    @app_commands.command(description=commands.STRIKE_REMOVE.english)
    @describe(commands.STRIKE_REMOVE_OPTIONS)
    async def remove(
        self, interaction: discord.Interaction[TriptychClient], member: discord.User, number: int
    ) -> None:
        """Remove a strike from a member who ranks below the moderator."""
        guild_id = await _check(self._services, interaction, member.id)
        await self._services.sanctions.remove_strike(
            guild_id, member.id, number, by=interaction.user.id
        )
        told = await self._services.notices.tell_strike_removed(guild_id, member.id, number)
        text = texts.STRIKE_REMOVED(member_id=member.id, strike_id=number)
        await interaction.edit_original_response(content=review_views.add_told(text, told))


class Sanctions(Cog):
    """Suspends members from making pictures, and takes their appeals."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=commands.SUSPEND.english)
    @describe(commands.SUSPEND_OPTIONS)
    @in_servers
    @app_commands.default_permissions(manage_messages=True)
    async def suspend(
        self,
        interaction: discord.Interaction[TriptychClient],
        member: discord.User,
        days: app_commands.Range[int, 1, _MAX_DAYS],
        reason: _Reason,
    ) -> None:
        """Suspend a member who ranks below the moderator."""
        guild_id = await _check(self._services, interaction, member.id)
        suspension = await self._services.sanctions.suspend(
            guild_id,
            member.id,
            by=interaction.user.id,
            days=days,
            reason=own_words(clean_prompt(reason)),
        )
        told = await self._services.notices.tell_suspended(guild_id, member.id)
        text = review_views.say_suspended(suspension)
        await interaction.edit_original_response(content=review_views.add_told(text, told))

    @app_commands.command(description=commands.UNSUSPEND.english)
    @describe(commands.UNSUSPEND_OPTIONS)
    @in_servers
    @app_commands.default_permissions(manage_messages=True)
    async def unsuspend(
        self, interaction: discord.Interaction[TriptychClient], member: discord.User
    ) -> None:
        """End the suspension of a member who ranks below the moderator."""
        guild_id = await _check(self._services, interaction, member.id)
        await self._services.sanctions.lift(
            guild_id, member.id, by=interaction.user.id, reason=because(Code.MODERATOR_LIFTED)
        )
        told = await self._services.notices.tell_lifted(guild_id, member.id)
        text = review_views.add_told(texts.LIFTED(member_id=member.id), told)
        await interaction.edit_original_response(content=text)

    async def ask(self, interaction: discord.Interaction[Any], number: int, panel: int) -> None:
        """Open the appeal form."""
        await open_form(interaction, "appeal", number, panel)

    async def compose(
        self, interaction: discord.Interaction[Any], number: int, panel: int
    ) -> JobModal:
        """Build the appeal form for somebody who may appeal."""
        if interaction.guild_id is None:
            raise UserError(texts.NOTHING_TO_APPEAL())
        await self._services.sanctions.check_appeal(interaction.guild_id, interaction.user.id)
        form = JobModal("appeal", 0, 0, title=texts.APPEAL_TITLE())
        form.add_item(
            discord.ui.Label(
                text=texts.APPEAL_QUESTION(),
                description=texts.APPEAL_HINT(),
                component=discord.ui.TextInput(
                    custom_id="text",
                    style=discord.TextStyle.paragraph,
                    max_length=review_views.APPEAL_MAX,
                ),
            )
        )
        return form

    async def submit(
        self, interaction: discord.Interaction[Any], number: int, panel: int, fields: dict[str, str]
    ) -> None:
        """Pass the appeal in the form on to the moderators."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        if interaction.guild_id is None:
            raise UserError(texts.NOTHING_TO_APPEAL())
        await self._services.sanctions.appeal(
            interaction.guild_id, interaction.user.id, clean_prompt(fields["text"])
        )
        await interaction.edit_original_response(content=texts.APPEALED())


async def _check(
    services: Services,
    interaction: discord.Interaction[TriptychClient],
    member_id: int | None = None,
) -> int:
    """Defer the answer, and check that this person may do this to the member. Raises UserError."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    guild_id = interaction.guild_id
    require_moderator(interaction, await services.settings.fetch(guild_id))
    if guild_id is None:
        raise UserError(review_texts.NOT_MODERATOR())
    if member_id is not None:
        await require_rank(interaction, member_id)
    return guild_id


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Sanctions(bot.services)
    bot.add_button_action("appeal", cog.ask)
    bot.add_form("appeal", cog.compose, cog.submit)
    await bot.add_cog(cog)
    await bot.add_cog(StrikeCommands(bot.services))
