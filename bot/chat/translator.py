"""Names and descriptions of commands in the languages that Triptych has texts in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location
from discord.app_commands.commands import validate_context_menu_name, validate_name

from bot.texts.catalog import Name, Text, is_offered, speaking

log = logging.getLogger(__name__)

T = TypeVar("T")

_NAMES = {
    Location.command_name: "command",
    Location.group_name: "command",
    Location.parameter_name: "option",
}
_TEXT_MAX = 100


class CatalogTranslator(app_commands.Translator):
    """Looks up in the catalogues what discord.py asks for at the registration of commands."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """None where the language has the same word, none, or one that Discord would refuse."""
        if not is_offered(locale.value):
            return None
        named = _NAMES.get(context.location)
        text = Name(named, string.message) if named else Text(string.message)
        with speaking(locale.value):
            said = text()
        if said == string.message:
            return None
        try:
            _check(said, context)
        except ValueError as error:
            _warn(locale.value, said, str(error))
            return None
        return said


def _check(said: str, context: app_commands.TranslationContextTypes) -> None:
    """Raise ValueError for what Discord does not take: it would take none of the commands."""
    if context.location not in _NAMES:
        if not 0 < len(said) <= _TEXT_MAX:
            raise ValueError(f"it must have 1 to {_TEXT_MAX} characters")
    elif isinstance(context.data, app_commands.ContextMenu):
        validate_context_menu_name(said)
    else:
        validate_name(said)


@cache
def _warn(locale: str, said: str, why: str) -> None:
    """Once for each."""
    log.warning("%r of the commands in %s stays English: %s", said, locale, why)


def describe(options: Mapping[str, Text]) -> Callable[[T], T]:
    """Say what the options of a command are for."""
    return app_commands.describe(**{name: text.english for name, text in options.items()})


def list_choices(texts: Mapping[str, Text]) -> list[app_commands.Choice[str]]:
    """What an option offers, each value under its text."""
    return [app_commands.Choice(name=text.english, value=value) for value, text in texts.items()]
