"""The names of commands in other languages."""

import discord
import pytest
from discord import app_commands


class InOneLanguage(app_commands.Translator):
    """Translates these English words into one of Discord's languages."""

    def __init__(self, locale: discord.Locale, **words: str) -> None:
        self.locale = locale
        self.words = words

    async def translate(self, string, locale, context):
        return self.words.get(str(string)) if locale is self.locale else None


@pytest.fixture
def colours(bot):
    @bot.tree.command(description="Mix")
    @app_commands.choices(tone=[app_commands.Choice(name="Red", value="r")])
    async def mix(interaction: discord.Interaction, tone: str) -> None:
        await interaction.response.send_message(tone)

    return bot.tree


async def test_names_in_other_languages_are_kept_and_given_to_whoever_asks_for_them(
    server, bot, online, colours
):
    words = {"mix": "mischen", "Mix": "Farben mischen", "tone": "ton-ö", "Red": "Rotes, Lautes"}
    await colours.set_translator(InOneLanguage(discord.Locale.german, **words))
    async with online(bot):
        [synced] = await colours.sync()
        assert synced.name_localizations == {discord.Locale.german: "mischen"}
        [kept] = server.commands
        assert kept.definition["description_localizations"] == {"de": "Farben mischen"}
        [option] = kept.definition["options"]
        assert option["name_localizations"] == {"de": "ton-ö"}
        assert option["choices"][0]["name_localizations"] == {"de": "Rotes, Lautes"}
        [plain] = await colours.fetch_commands()
        assert (plain.name, plain.name_localizations) == ("mix", {})
        route = discord.http.Route(
            "GET", "/applications/{application_id}/commands", application_id=bot.application_id
        )
        [asked] = await bot.http.request(route, params={"with_localizations": "true"})
        assert asked["options"][0]["name_localizations"] == {"de": "ton-ö"}


@pytest.mark.parametrize(
    ("word", "text", "problem"),
    [
        ("mix", "Mischen", "name_localizations.de: Command name is invalid"),
        ("mix", "gut mischen", "name_localizations.de: Command name is invalid"),
        (
            "tone",
            "x" * 33,
            "In parameter 'tone'\n    name_localizations.de: Command name is invalid",
        ),
        ("Mix", "x" * 101, "description_localizations.de: Must be between 1 and 100 in length"),
        ("Red", "x" * 101, "choices.0.name_localizations.de: Must be between 1 and 100 in length"),
    ],
)
async def test_names_in_other_languages_are_held_to_the_same_rules(
    server, bot, online, colours, word, text, problem
):
    async with online(bot):
        await colours.set_translator(InOneLanguage(discord.Locale.german, **{word: text}))
        with pytest.raises(discord.app_commands.CommandSyncFailure) as caught:
            await colours.sync()
        assert problem in str(caught.value)


async def test_language_that_discord_does_not_have_is_refused(server, bot, online, colours):
    async with online(bot):
        payload = [command.to_dict(colours) for command in colours.get_commands()]
        payload[0]["description_localizations"] = {"pt_BR": "Misturar"}
        with pytest.raises(discord.HTTPException, match="pt_BR: Value must be one of"):
            await bot.http.bulk_upsert_global_commands(bot.application_id, payload=payload)
