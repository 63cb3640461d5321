"""Names and descriptions of commands in other languages, if Discord accepts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import discord
import pytest
from babel.messages.catalog import Catalog
from discord import app_commands

from bot.chat import translator
from bot.texts import catalog
from tests.texts.catalogues import HERE, forget, write_catalog


@app_commands.command(name="style", description="Pick a style")
@app_commands.choices(name=[app_commands.Choice(name="Oil", value="oil")])
async def style(interaction: discord.Interaction[Any], name: str) -> None:
    """Is never run."""


@app_commands.context_menu(name="Recipe")
async def recipe(interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Is never run."""


WORDS = {
    ("command", "style"): "stil",
    ("option", "name"): "name-des-stils",
    ("command", "Recipe"): "Dieses Rezept",
    (None, "Pick a style"): "Einen Stil wählen",
    (None, "Oil"): "Öl, das glänzt",
}


@pytest.fixture
def locales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "en").symlink_to(HERE / "locales" / "en")
    monkeypatch.setattr(catalog, "LOCALES", tmp_path)
    forget()
    translator._warn.cache_clear()
    yield tmp_path
    forget()


def write(folder: Path, words: dict[tuple[str | None, str], str]) -> None:
    texts = Catalog(locale="de")
    for (context, english), said in words.items():
        texts.add(english, said, context=context)
    write_catalog(folder / "de", texts)


async def register() -> tuple[dict[str, Any], dict[str, Any]]:
    client = discord.Client(intents=discord.Intents(guilds=True))
    tree = app_commands.CommandTree(client)
    words = translator.CatalogTranslator()
    return (
        await style.get_translated_payload(tree, words),
        await recipe.get_translated_payload(tree, words),
    )


async def test_commands_are_registered_in_the_languages_of_the_catalogues(locales: Path):
    write(locales, WORDS)
    command, menu = await register()
    [option] = command["options"]
    assert (command["name"], command["name_localizations"]) == ("style", {"de": "stil"})
    assert command["description_localizations"] == {"de": "Einen Stil wählen"}
    assert option["name_localizations"] == {"de": "name-des-stils"}
    assert option["choices"][0]["name_localizations"] == {"de": "Öl, das glänzt"}
    assert menu["name_localizations"] == {"de": "Dieses Rezept"}


async def test_without_other_catalogues_only_english_is_registered():
    for thing in await register():
        assert not thing["name_localizations"]
        assert not thing.get("description_localizations")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (("command", "style"), "Stil"),
        (("command", "style"), "ein stil"),
        (("option", "name"), "x" * 33),
        (("command", "Recipe"), "x" * 33),
        ((None, "Pick a style"), "x" * 101),
        ((None, "Oil"), "x" * 101),
    ],
)
async def test_word_that_discord_would_refuse_stays_english_with_one_warning(
    locales: Path, key: tuple[str | None, str], said: str, caplog: pytest.LogCaptureFixture
):
    write(locales, WORDS | {key: said})
    registered = str([await register() for _ in range(2)])
    assert f"'{said}'" not in registered
    others = [each for known, each in WORDS.items() if known != key]
    assert all(f"'{each}'" in registered for each in others)
    [record] = caplog.records
    assert repr(said) in record.message
