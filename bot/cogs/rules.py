"""/rules: a server's own text rules."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence

import discord
from discord import app_commands
from discord.ext.commands import GroupCog

from bot.chat.automod import copy_automod_rules
from bot.chat.client import TriptychClient
from bot.chat.offers import in_servers
from bot.chat.permissions import require_manager, require_moderator
from bot.chat.suggestions import or_nothing
from bot.chat.translator import describe, list_choices
from bot.domain.jobs import Origin
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import ConfigError, UserError
from bot.moderation.rules import MAX_RULE_LENGTH, make_rule, render_rules
from bot.moderation.text import clean_prompt
from bot.policy.prompts import has_review
from bot.services import Services
from bot.texts import commands
from bot.texts import rules as texts
from bot.views import moderation as moderation_views
from bot.views.escape import cut, quote, quote_lines

_MAX_FILE_BYTES = 1 << 20
_MAX_CHOICES = 25
_MAX_FAULTS_SHOWN = 1500
_Interaction = discord.Interaction[TriptychClient]
_Text = app_commands.Range[str, 1, MAX_RULE_LENGTH]
_KINDS = list_choices(commands.RULE_KINDS)
_ACTIONS = list_choices(commands.RULE_ACTIONS)


@in_servers
@app_commands.default_permissions(manage_messages=True)
class Rules(GroupCog, group_name="rules", group_description=commands.RULES.english):
    """Moderators may read the rules; people who manage the server may change them."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=commands.RULES_ADD.english)
    @describe(commands.RULES_ADD_OPTIONS)
    @app_commands.choices(kind=_KINDS, action=_ACTIONS)
    async def add(
        self,
        interaction: _Interaction,
        kind: str,
        text: _Text,
        action: str = "refuse",
        exceptions: str = "",
    ) -> None:
        """Add a rule."""
        guild_id = require_manager(interaction)
        rule = _parse_rule(kind, text, action, exceptions)
        await _defer(interaction)
        await _answer(interaction, await self._adopt(guild_id, [rule], interaction))

    @app_commands.command(description=commands.RULES_REMOVE.english)
    @describe(commands.RULES_REMOVE_OPTIONS)
    async def remove(self, interaction: _Interaction, rule: str) -> None:
        """Remove a rule, named by its number or its text."""
        guild_id = require_manager(interaction)
        services = self._services
        wanted = rule.strip().removeprefix("#")
        ids = [
            each.rule_id
            for each in await services.guilds.rules.list_rules(guild_id)
            if wanted in (str(each.rule_id), each.rule.text)
        ]
        removed = None
        if ids:
            actor_id = interaction.user.id
            removed = await services.guilds.rule_editor.remove(guild_id, ids[0], actor_id)
        if removed is None:
            raise UserError(texts.NO_SUCH_RULE())
        await _say(interaction, moderation_views.say_removed(removed))

    @remove.autocomplete("rule")
    @or_nothing
    async def _complete_rule(
        self, interaction: _Interaction, current: str
    ) -> list[app_commands.Choice[str]]:
        guild_id = require_manager(interaction)
        found = await self._services.guilds.rules.list_rules(guild_id)
        named = [
            (cut(f"#{each.rule_id} {each.rule.text}", 100), str(each.rule_id)) for each in found
        ]
        return [
            app_commands.Choice(name=name, value=value)
            for name, value in named
            if current.lower() in name.lower()
        ][:_MAX_CHOICES]

    @app_commands.command(name="list", description=commands.RULES_LIST.english)
    @describe(commands.RULES_LIST_OPTIONS)
    async def list_(self, interaction: _Interaction, page: int = 1) -> None:
        """Show one page of the rules."""
        guild_id = await self._require_moderator(interaction)
        await _defer(interaction)
        rules = await self._services.guilds.rules.list_rules(guild_id)
        beyond = await self._services.guilds.scale.list_beyond(guild_id)
        await _answer(interaction, moderation_views.describe_rules(rules, page, beyond))

    @app_commands.command(name="import", description=commands.RULES_IMPORT.english)
    @describe(commands.RULES_IMPORT_OPTIONS)
    async def import_(self, interaction: _Interaction, file: discord.Attachment) -> None:
        """Add all rules of a file, or none of them."""
        guild_id = require_manager(interaction)
        await _defer(interaction)
        if file.size > _MAX_FILE_BYTES:
            raise UserError(texts.NOT_A_FILE())
        try:
            text = (await file.read()).decode("utf-8-sig")
            rules = await self._services.guilds.scale.parse(guild_id, text)
        except (UnicodeDecodeError, discord.HTTPException):
            raise UserError(texts.NOT_A_FILE()) from None
        except ConfigError as error:
            faults = quote_lines(str(error), _MAX_FAULTS_SHOWN)
            raise UserError(texts.UNUSABLE_FILE(faults=faults)) from None
        await _answer(interaction, await self._adopt(guild_id, rules, interaction))

    @app_commands.command(description=commands.RULES_EXPORT.english)
    async def export(self, interaction: _Interaction) -> None:
        """Send the rules as a file that `triptych rules check` can read."""
        guild_id = await self._require_moderator(interaction)
        rules = [each.rule for each in await self._services.guilds.rules.list_rules(guild_id)]
        file = discord.File(io.BytesIO(render_rules(rules).encode()), "rules.json")
        await interaction.response.send_message(file=file, ephemeral=True)

    @app_commands.command(description=commands.RULES_TEST.english)
    @describe(commands.RULES_TEST_OPTIONS)
    async def test(self, interaction: _Interaction, prompt: str) -> None:
        """Show how a prompt is read, which rules match, and the outcome."""
        guild_id = await self._require_moderator(interaction)
        await _defer(interaction)
        settings = await self._services.settings.fetch(guild_id)
        explanation = await self._services.gate.explain(guild_id, clean_prompt(prompt))
        reviewed = has_review(Origin(guild_id=guild_id), settings)
        text = moderation_views.describe_explanation(explanation, has_review=reviewed)
        await _answer(interaction, text)

    @app_commands.command(description=commands.RULES_PREVIEW.english)
    @describe(commands.RULES_PREVIEW_OPTIONS)
    @app_commands.choices(kind=_KINDS, action=_ACTIONS)
    async def preview(
        self,
        interaction: _Interaction,
        kind: str,
        text: _Text,
        action: str = "refuse",
        exceptions: str = "",
    ) -> None:
        """Try a rule on past prompts without saving it."""
        guild_id = await self._require_moderator(interaction)
        rule = _parse_rule(kind, text, action, exceptions)
        await _defer(interaction)
        editor, gate = self._services.guilds.rule_editor, self._services.gate
        preview = await editor.preview(guild_id, rule, gate.is_sealed)
        await _answer(interaction, moderation_views.describe_preview(rule, preview))

    @app_commands.command(name="import-automod", description=commands.RULES_IMPORT_AUTOMOD.english)
    async def import_automod(self, interaction: _Interaction) -> None:
        """Copy the server's AutoMod rules. Discord shows these only to bots with Manage Server."""
        guild_id = require_manager(interaction)
        if interaction.guild is None or not interaction.app_permissions.manage_guild:
            raise UserError(texts.AUTOMOD_NEEDS_PERMISSION())
        await _defer(interaction)
        try:
            found = await interaction.guild.fetch_automod_rules()
        except discord.Forbidden:
            raise UserError(texts.AUTOMOD_NEEDS_PERMISSION()) from None
        copied = await asyncio.to_thread(copy_automod_rules, found)
        copied.drop(await self._services.guilds.scale.list_faults(guild_id, list(copied.rules)))
        text = texts.NO_AUTOMOD_RULES()
        if copied.rules:
            text = await self._adopt(guild_id, list(copied.rules), interaction)
        await _answer(interaction, moderation_views.say_copied(text, copied.notes))

    async def _adopt(self, guild_id: int, rules: Sequence[Rule], interaction: _Interaction) -> str:
        added = await self._services.guilds.rule_editor.adopt(guild_id, rules, interaction.user.id)
        return moderation_views.say_added(added, len(rules))

    async def _require_moderator(self, interaction: _Interaction) -> int:
        settings = await self._services.settings.fetch(interaction.guild_id)
        return require_moderator(interaction, settings)


def _parse_rule(kind: str, text: str, action: str, exceptions: str) -> Rule:
    parts = tuple(part.strip() for part in exceptions.split(",") if part.strip())
    try:
        return make_rule(RuleKind(kind), text, Outcome(action), parts)
    except (ConfigError, ValueError) as error:
        fault = quote(str(error), _MAX_FAULTS_SHOWN)
        raise UserError(texts.UNUSABLE_RULE(fault=fault)) from None


async def _defer(interaction: _Interaction) -> None:
    """Defer, because reading rules may take longer than Discord waits for a first answer."""
    await interaction.response.defer(ephemeral=True, thinking=True)


async def _answer(interaction: _Interaction, text: str) -> None:
    await interaction.edit_original_response(content=text)


async def _say(interaction: _Interaction, text: str) -> None:
    await interaction.response.send_message(text, ephemeral=True)


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    await bot.add_cog(Rules(bot.services))
