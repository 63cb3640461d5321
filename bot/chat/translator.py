"""Translates names and descriptions of commands."""

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
    """Looks up the translations that discord.py asks for when it registers commands."""

    def __init__(self) -> None:
        self._offered = {locale for locale in discord.Locale if is_offered(locale.value)}

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """Translate a text. None if there is no translation, or if Discord would refuse it."""
        # This check saves time, because each start asks for thousands of texts.
        if locale not in self._offered:
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
    """Raise ValueError for a text that would make Discord refuse all our commands."""
    if context.location not in _NAMES:
        if not 0 < len(said) <= _TEXT_MAX:
            raise ValueError(f"it must have 1 to {_TEXT_MAX} characters")
    elif isinstance(context.data, app_commands.ContextMenu):
        validate_context_menu_name(said)
    else:
        validate_name(said)


@cache
def _warn(locale: str, said: str, why: str) -> None:
    """Warn once for each text."""
    log.warning(
        "command text %r has no usable translation into %s, so it stays English: %s",
        said,
        locale,
        why,
    )


def describe(options: Mapping[str, Text]) -> Callable[[T], T]:
    """Describe the options of a command."""
    return app_commands.describe(**{name: text.english for name, text in options.items()})


def list_choices(texts: Mapping[str, Text]) -> list[app_commands.Choice[str]]:
    """List an option's choices, each value with its text."""
    return [app_commands.Choice(name=text.english, value=value) for value, text in texts.items()]
