"""Names and descriptions of commands in the languages that Triptych has texts in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from bot.texts.catalog import Name, Text, is_offered, speaking

T = TypeVar("T")

_NAMES = {
    Location.command_name: "command",
    Location.group_name: "command",
    Location.parameter_name: "option",
}


class CatalogTranslator(app_commands.Translator):
    """Looks up in the catalogues what discord.py asks for at the registration of commands."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """None where the language has the same word, or none."""
        if not is_offered(locale.value):
            return None
        named = _NAMES.get(context.location)
        text = Name(named, string.message) if named else Text(string.message)
        with speaking(locale.value):
            said = text()
        return None if said == string.message else said


def describe(options: Mapping[str, Text]) -> Callable[[T], T]:
    """Say what the options of a command are for."""
    return app_commands.describe(**{name: text.english for name, text in options.items()})


def list_choices(texts: Mapping[str, Text]) -> list[app_commands.Choice[str]]:
    """What an option offers, each value under its text."""
    return [app_commands.Choice(name=text.english, value=value) for value, text in texts.items()]
