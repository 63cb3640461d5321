"""/settings: one panel for everything a server can set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import nan
from typing import Any

import discord
from discord import app_commands
from discord.ext.commands import Cog

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import require_manager
from bot.domain.guilds import GuildSettings, RoleQuota
from bot.domain.rules import Outcome
from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.policy.models import OfferedModel
from bot.services import Services
from bot.store.settings import BOUNDS, CHANNEL_NAMES, MAX_IDS, QUOTA_BOUNDS
from bot.texts import commands
from bot.texts import settings as texts
from bot.views import settings as settings_views
from bot.views.components import Form, open_form
from bot.views.escape import quote
from bot.views.models import cut_id
from bot.views.settings import SettingsPage

_BEYOND_ALL_BOUNDS = 1e9  # larger than any number that a setting allows
_LISTS = {
    *("moderator_role_ids", "allowed_role_ids", "allowed_channel_ids"),
    *("round_role_ids", "round_channel_ids"),
}
_POSTED_TO = {"review_channel_id", "mod_log_channel_id", "showcase_channel_id"}
_CHANNELS = _POSTED_TO | {"appeal_channel_id"}
_Interaction = discord.Interaction[TriptychClient]


class SettingsPanel(Cog):
    """Changes settings, for people who manage the server. Every change goes into the audit log."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=commands.SETTINGS.english)
    @in_servers
    @app_commands.default_permissions(manage_guild=True)
    async def settings(self, interaction: _Interaction) -> None:
        """Open the panel, only for the person who asks."""
        require_manager(interaction)
        view = await self._compose(interaction, "people")
        await interaction.response.send_message(view=view, ephemeral=True)

    async def press(self, interaction: _Interaction, path: str, values: Sequence[str]) -> None:
        """Apply what the person pressed or chose. path: the page and the name of the item."""
        guild_id = require_manager(interaction)
        page, _, name = path.partition(".")
        match name:
            case "page" if values[0] in texts.PAGES:
                page = values[0]
            case "pick":
                page = f"c{values[0]}"
            case "number" | "quota" if name == "quota" or values[0] in BOUNDS:
                await open_form(interaction, settings_views.PANEL, f"{page}.{name}.{values[0]}")
                return
            case "appeal_line":
                await open_form(interaction, settings_views.PANEL, f"{page}.line.{name}")
                return
            case "reset":
                for own in sorted(CHANNEL_NAMES):
                    await self._change(interaction, page, own, None)
            case "reviewed_models" | "default_model":
                await self._change_models(interaction, page, name, values)
            case "switches":
                await self._switch(interaction, page, values)
            case "review_everything":
                settings = await self._fetch(guild_id, page)
                await self._change(interaction, page, name, not settings.review_everything)
            case _:
                await self._change(interaction, page, name, _parse(name, values))
        await interaction.response.edit_message(view=await self._compose(interaction, page))

    async def _switch(self, interaction: _Interaction, page: str, chosen: Sequence[str]) -> None:
        """Switch on the chosen settings about rounds, and all others off."""
        async with self._services.settings.transaction():
            present = await self._fetch(require_manager(interaction), page)
            for name in settings_views.ROUND_SWITCHES:
                if getattr(present, name) != (name in chosen):
                    await self._change(interaction, page, name, name in chosen)

    async def compose_form(self, interaction: _Interaction, path: str) -> Form:
        """Build the form for a number, for a line of text, or for a role's quota."""
        guild_id = require_manager(interaction)
        page, kind, name = path.split(".")
        settings = await self._fetch(guild_id, page)
        match kind:
            case "number":
                fields = [settings_views.compose_number_field(name, getattr(settings, name))]
                title = texts.CHANGE_NUMBER()
            case "line":
                fields = [settings_views.compose_line_field(settings.appeal_line)]
                title = texts.CHANGE_LINE()
            case _:
                known = {quota.role_id: quota for quota in settings.role_quotas}
                quota = known.get(int(name), RoleQuota(int(name)))
                fields = [
                    settings_views.compose_number_field(each, getattr(quota, each))
                    for each in QUOTA_BOUNDS
                ]
                title = texts.CHANGE_QUOTA()
        form = Form(settings_views.PANEL, path, title=title)
        for field in fields:
            form.add_item(field)
        return form

    async def submit_form(
        self, interaction: _Interaction, path: str, typed: dict[str, str]
    ) -> None:
        """Save what was typed into the form."""
        require_manager(interaction)
        page, kind, name = path.split(".")
        if kind == "number":
            await self._change(interaction, page, name, parse_number(typed[name]))
        elif kind == "line":
            await self._change(interaction, page, name, clean_prompt(typed[name]) or None)
        else:
            await self._change_quota(interaction, page, int(name), typed)
        await interaction.response.edit_message(view=await self._compose(interaction, page))

    async def _change_quota(
        self, interaction: _Interaction, page: str, role_id: int, typed: dict[str, str]
    ) -> None:
        numbers = {name: parse_number(text) for name, text in typed.items()}
        async with self._services.settings.transaction():
            present = (await self._fetch(require_manager(interaction), page)).role_quotas
            quotas = [asdict(each) for each in present if each.role_id != role_id]
            if any(number is not None for number in numbers.values()):
                quotas.append({"role_id": role_id, **numbers})
            await self._change(interaction, page, "role_quotas", quotas or None)

    async def _change(self, interaction: _Interaction, page: str, name: str, value: Any) -> None:
        guild_id, channel_id = require_manager(interaction), _channel_of(page)
        if channel_id and name not in CHANNEL_NAMES:
            raise UserError(texts.NOT_OF_CHANNELS())
        self._check(interaction, channel_id, name, value)
        await self._services.settings.change(
            guild_id,
            name,
            value,
            actor_id=interaction.user.id,
            now=self._services.now(),
            channel_id=channel_id,
        )

    def _check(self, interaction: _Interaction, channel_id: int, name: str, value: Any) -> None:
        """Raise UserError if Discord or the bot owner's settings do not allow this change."""
        guild = interaction.guild
        if guild is None or value is None:
            return
        channel = guild.get_channel(channel_id) if channel_id else None
        for_adults = isinstance(channel, discord.TextChannel) and channel.is_nsfw()
        is_spoiler = name == "picture_action" and str(value) == Outcome.SPOILER
        if is_spoiler and not for_adults:
            raise UserError(texts.NO_SPOILER())
        threshold = self._services.check.threshold
        if name == "nsfw_threshold" and value > threshold and not for_adults:
            raise UserError(texts.TOO_LOOSE(number=value, threshold=threshold))
        if name in _POSTED_TO:
            target = guild.get_channel(value)
            may = target.permissions_for(guild.me) if target else discord.Permissions()
            if not (may.view_channel and may.send_messages):
                raise UserError(texts.CANNOT_SEND(channel_id=value))
            if name == "showcase_channel_id" and not may.attach_files:
                raise UserError(texts.CANNOT_ATTACH(channel_id=value))

    async def _fetch(self, guild_id: int, page: str) -> GuildSettings:
        return await self._services.settings.fetch(guild_id, _channel_of(page) or None)

    async def _compose(self, interaction: _Interaction, page: str) -> discord.ui.LayoutView:
        services, channel_id = self._services, _channel_of(page)
        guild_id = require_manager(interaction)
        own = await services.settings.fetch_scope(guild_id, channel_id) if channel_id else {}
        settings = await self._fetch(guild_id, page)
        models = self._list_offered(interaction)
        default = note = None
        if models:
            default, note = services.models.choose_default(
                settings.default_model, guild_id, _list_roles(interaction)
            )
        if page == "pictures":
            models = self._list_reviewed(interaction, settings)
        panel = SettingsPage(
            page,
            settings,
            services.check.threshold,
            frozenset(own),
            await services.settings.list_channels(guild_id),
            models,
            default,
            note,
        )
        return settings_views.compose_panel(panel)

    async def _change_models(
        self, interaction: _Interaction, page: str, name: str, values: Sequence[str]
    ) -> None:
        settings = await self._fetch(require_manager(interaction), page)
        is_default = name == "default_model"
        if not is_default and values and settings.review_channel_id is None:
            raise UserError(texts.NEEDS_REVIEW_CHANNEL())
        known = self._list_offered(interaction)
        known = known if is_default else self._list_reviewed(interaction, settings)
        chosen = [each.id for each in known if cut_id(each.id) in values]
        value = chosen[0] if chosen and is_default else chosen or None
        await self._change(interaction, page, name, value)

    def _list_reviewed(
        self, interaction: _Interaction, settings: GuildSettings
    ) -> list[OfferedModel]:
        """List the models of this server, and those that were chosen before."""
        before = {each: OfferedModel(each, each) for each in settings.reviewed_models}
        present = {each.id: each for each in self._list_offered(interaction)}
        return list((before | present).values())[:MAX_IDS]

    def _list_offered(self, interaction: _Interaction) -> Sequence[OfferedModel]:
        """List the models that somebody in this server can use."""
        guild_id = require_manager(interaction)
        return self._services.models.list_for(guild_id, _list_roles(interaction))


def parse_number(text: str) -> float | None:
    """Read a number; None for an empty text. Raises UserError."""
    if not text.strip():
        return None
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        number = nan
    if not abs(number) < _BEYOND_ALL_BOUNDS:
        raise UserError(texts.NOT_A_NUMBER(text=quote(text, 20)))
    return int(number) if number.is_integer() else number


def _parse(name: str, values: Sequence[str]) -> Any:
    if name in _LISTS:
        return [int(value) for value in values] or None
    if name in _CHANNELS:
        return int(values[0]) if values else None
    if name == "picture_action":
        return values[0]
    raise UserError(texts.NOT_HERE())


def _list_roles(interaction: _Interaction) -> list[int]:
    return [role.id for role in interaction.guild.roles] if interaction.guild else []


def _channel_of(page: str) -> int:
    """Return the id of a page's channel; 0 for a page about the whole server."""
    return 0 if page in texts.PAGES else int(page.removeprefix("c"))


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = SettingsPanel(bot.services)
    bot.add_panel_action(settings_views.PANEL, cog.press)
    bot.add_form(settings_views.PANEL, cog.compose_form, cog.submit_form)
    await bot.add_cog(cog)
