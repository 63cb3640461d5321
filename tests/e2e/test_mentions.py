"""Mentions in a prompt: shown, drawn and judged as names."""

from __future__ import annotations

from playground import Message, Playground
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import press
from tests.e2e.lens import Lens


def has_grid(message: Message) -> bool:
    return len(message.buttons()) > 1


async def test_names_stand_in_a_prompt_and_the_rules_read_them(
    server: Playground, start_bot: StartBot, lens: Lens
):
    # names that stand for mentions, which people did not type in this form
    lens.learn(["cat", "Nightshade"])
    bot = await start_bot(BLOCKED_WORDS="nightshade")
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    guild = server.world.guilds[art.guild_id or 0]
    typed = f"<@{other.id}><#{art.id}> <:cat:{art.id}> and <@{art.id}>"
    handle = await member.slash("imagine", art, prompt=typed, negative_prompt=f"<#{art.id}>")
    message = await handle.wait_for(has_grid)
    name = other.user.global_name or other.name
    assert f"{name} art cat and" in message.text()
    assert str(other.id) not in message.text()
    modal = await press(member, message, "✎ Remix")
    assert f"{name} art cat and" in str(await modal.wait_modal())

    guild.members[other.id].nick = "Nightshade"
    refused = await (await member.slash("imagine", art, prompt=f"<@{other.id}>")).wait_answered()
    assert refused.is_ephemeral
    sent = await member.submit_modal(modal, {"prompt": f"<@{other.id}> x"})
    assert (await sent.wait_for(has_grid)).text().count(str(other.id)) == 0
    assert await bot.stop() == 0
    recipes = bot.recipes()
    assert recipes[0].prompt == f"{name} art cat and"
    assert recipes[0].negative_prompt == "art"
    assert [recipe.prompt for recipe in recipes[1:]] == ["Nightshade", "x"]


async def test_title_of_a_styled_prompt_has_the_names_and_after_a_remix_all_that_was_typed(
    server: Playground, start_bot: StartBot, lens: Lens
):
    lens.learn(["art", "wolf", "zebra", "photograph", "colour"])  # the last two of the style
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt=f"<#{art.id}> wolf", style="ink")
    message = await handle.wait_for(has_grid)
    assert message.text().startswith("**art wolf**")
    form = await press(member, message, "✎ Remix")
    await form.wait_modal()
    sent = await member.submit_modal(form, {"prompt": "an ink drawing of art wolf and a zebra"})
    assert "zebra" in (await sent.wait_for(has_grid)).text()
    form = await press(member, message, "✎ Remix")
    typed = {
        part["component"]["custom_id"]: part["component"].get("value") or ""
        for part in (await form.wait_modal())["components"]
    }
    sent = await member.submit_modal(form, typed)
    assert (await sent.wait_for(has_grid)).text().startswith("**art wolf**")
    assert await bot.stop() == 0
