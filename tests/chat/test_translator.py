"""discord.py asks for exactly those names and descriptions of commands that the texts have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.chat.client import TriptychClient
from bot.chat.translator import CatalogTranslator
from bot.services import Services
from bot.texts import commands
from bot.texts.catalog import Text
from tests.conftest import House

Asked = tuple[str | None, str]
"""The context of a name (None for any other text), and the English text."""


class Recorder(CatalogTranslator):
    """Remembers every text that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[Asked] = set()

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        kind, _, what = context.location.name.rpartition("_")
        named = "option" if kind == "parameter" else "command"
        is_name = what == "name" and kind != "choice"
        self.asked.add((named if is_name else None, string.message))
        return await super().translate(string, locale, context)


def list_texts() -> Iterator[Text]:
    """List the texts of descriptions and choices."""
    for value in vars(commands).values():
        for each in value.values() if isinstance(value, dict) else [value]:
            if isinstance(each, Text):
                yield each


def list_known() -> set[Asked]:
    texts = {(None, text.english) for text in list_texts()}
    return texts | {(name.context, name.english) for name in commands.NAMES}


async def compose_payload(services: Services, translator: CatalogTranslator) -> list[Any]:
    """Return the payload that Discord would get."""
    client = TriptychClient(lambda _: services, lambda: 0.0)
    await client._async_setup_hook()
    try:
        await client.load_commands()
        tree = client.tree
        return [
            await command.get_translated_payload(tree, translator)
            for command in tree.get_commands()
        ]
    finally:
        await client.close()


async def test_texts_have_every_name_and_description_of_the_commands_and_no_other(
    quiet_house: House,
):
    recorder = Recorder()
    await compose_payload(quiet_house.services, recorder)
    assert recorder.asked == list_known()


@pytest.mark.usefixtures("marked")
async def test_every_description_and_choice_is_translated(quiet_house: House):
    payload = await compose_payload(quiet_house.services, CatalogTranslator())
    [imagine] = [command for command in payload if command["name"] == "imagine"]
    assert imagine["description_localizations"]["de"] == f"de[{commands.IMAGINE.english}]"
    [preset] = [option for option in imagine["options"] if option["name"] == "preset"]
    assert preset["name_localizations"]["pl"] == "option-preset-pl"
    quality = f"fr[{commands.PRESETS['quality'].english}]"
    assert preset["choices"][0]["name_localizations"]["fr"] == quality


def test_names_and_descriptions_are_as_long_as_discord_takes():
    assert all(0 < len(text.english) <= 100 for text in list_texts())
    assert all(0 < len(name.english) <= 32 for name in commands.NAMES)
    assert len({(name.context, name.english) for name in commands.NAMES}) == len(commands.NAMES)
