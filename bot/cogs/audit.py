"""/audit: search or export what was decided in a server, and by whom."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import discord
from discord import app_commands
from discord.ext.commands import GroupCog

from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import require_moderator, require_owner
from bot.chat.translator import describe, list_choices
from bot.domain.audit import AuditAction, AuditEntry
from bot.errors import UserError
from bot.services import Services
from bot.texts import audit as texts
from bot.texts import commands
from bot.views import audit as audit_views
from bot.views.escape import quote

_PAGE = 6
_MAX_EXPORTED = 100_000
_SECONDS = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_Interaction = discord.Interaction[TriptychClient]


@in_servers
@app_commands.default_permissions(manage_messages=True)
class Audit(GroupCog, group_name="audit", group_description=commands.AUDIT.english):
    """Lets moderators read the audit log of a server."""

    def __init__(self, bot: TriptychClient) -> None:
        self._services: Services = bot.services

    @app_commands.command(description=commands.AUDIT_SEARCH.english)
    @describe(commands.AUDIT_SEARCH_OPTIONS)
    async def search(
        self,
        interaction: _Interaction,
        member: discord.User | None = None,
        moderator: discord.User | None = None,
        rule: str | None = None,
        since: str | None = None,
    ) -> None:
        """Show the newest rows that match."""
        guild_id = await self._require_moderator(interaction)
        moment = parse_since(since, self._services.now())
        view = await self._compose(
            guild_id, member and member.id, moderator and moderator.id, rule, moment, None
        )
        await interaction.response.send_message(view=view, ephemeral=True)

    async def press(self, interaction: _Interaction, path: str, values: Sequence[str]) -> None:
        """Show older rows. The button's id contains the search."""
        guild_id = await self._require_moderator(interaction)
        before, member, moderator, since, has_rule = (int(part) for part in path.split("."))
        rule = None
        # the text of a rule may not fit into a button's id, so read it from the row shown before
        if has_rule:
            entries = await self._services.audit.search(
                guild_id, before_entry=before + 1, after_entry=before - 1
            )
            rule = entries[0].rule if entries else ""
        view = await self._compose(
            guild_id, member or None, moderator or None, rule, float(since), before
        )
        await interaction.response.edit_message(view=view)

    @app_commands.command(description=commands.AUDIT_EXPORT.english)
    @describe(commands.AUDIT_EXPORT_OPTIONS)
    @app_commands.choices(format=list_choices(commands.AUDIT_FORMATS))
    async def export(
        self, interaction: _Interaction, format: str = "csv", since: str | None = None
    ) -> None:
        """Send the matching rows as a file, and record that this was done."""
        guild_id = require_owner(interaction)
        services = self._services
        moment = parse_since(since, services.now())
        await interaction.response.defer(ephemeral=True, thinking=True)
        entry = AuditEntry(
            AuditAction.AUDIT_EXPORTED,
            services.now(),
            guild_id=guild_id,
            actor_id=interaction.user.id,
        )
        async with services.heavy_work.turn(interaction.user.id, "audit"):
            await services.audit.add(entry)
            entries = await services.audit.search(
                guild_id, since=moment, limit=_MAX_EXPORTED, newest_first=False
            )
            data, name = await asyncio.to_thread(audit_views.pack_entries, entries, format)
        await interaction.edit_original_response(attachments=[discord.File(io.BytesIO(data), name)])

    async def _compose(
        self,
        guild_id: int,
        member_id: int | None,
        actor_id: int | None,
        rule: str | None,
        since: float,
        before: int | None,
    ) -> discord.ui.LayoutView:
        entries = await self._services.audit.search(
            guild_id,
            member_id=member_id,
            actor_id=actor_id,
            rule=rule,
            since=since,
            before_entry=before,
            limit=_PAGE + 1,
        )
        older = None
        if len(entries) > _PAGE:
            last = entries[_PAGE - 1].entry_id
            parts = (last, member_id or 0, actor_id or 0, int(since), int(rule is not None))
            older = ".".join(map(str, parts))
        return audit_views.compose_page(entries[:_PAGE], older)

    async def _require_moderator(self, interaction: _Interaction) -> int:
        settings = await self._services.settings.fetch(interaction.guild_id)
        return require_moderator(interaction, settings)


def parse_since(text: str | None, now: float) -> float:
    """Read a date or a time span as Unix time. Raises UserError."""
    if not text:
        return 0.0
    ago = re.fullmatch(r"\s*([0-9]{1,4})\s*([hdw])\s*", text)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UserError(texts.NOT_A_TIME(text=quote(text, 40))) from None


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = Audit(bot)
    bot.add_panel_action("audit", cog.press)
    await bot.add_cog(cog)
