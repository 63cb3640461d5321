"""/gallery, /recipe, the Apps menu, and the styles of a server."""

from __future__ import annotations

import json
import re

import pytest

from playground import Overwrite, Permission, Playground, default_world
from playground.wire.options import ClientRefusedError
from tests.e2e.conftest import TOKEN, StartBot, say_of
from tests.e2e.gallery import draw, has_grid, press, refusal
from tests.e2e.lens import Lens
from tests.texts.catalogues import PSEUDO


async def test_gallery_pages_through_ones_own_pictures_also_after_a_restart(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot()
    grids = [await draw(member, art, prompt=f"dog *{n}*") for n in range(6)]
    await draw(other, art, prompt="not mine")
    handle = await member.slash("gallery", art)
    page = await handle.wait_answered()
    assert page.is_ephemeral
    assert re.findall(r"dog \\\*(\d)", page.text()) == ["5", "4", "3", "2"]
    assert "not mine" not in page.text()
    assert len(page.attachments) == 4
    assert all("drawn from the prompt: dog" in str(a.description) for a in page.attachments)
    link = f"https://discord.com/channels/{art.guild_id}/{art.id}/{grids[5].id}"
    assert link in page.text()
    assert await bot.stop() == 0

    await start_bot()
    await press(member, page, "Older")
    page = await handle.wait_for(lambda m: "Newest" in [b.label for b in m.buttons()])
    assert re.findall(r"dog \\\*(\d)", page.text()) == ["1", "0"]
    await press(member, page, "Newest")
    await handle.wait_for(lambda m: len(m.attachments) == 4)


async def test_recipe_by_link_and_from_the_menu_for_those_who_can_see_the_message(
    server: Playground, start_bot: StartBot
):
    member, other = server.person("member"), server.person("newcomer")
    art, general = server.channel("art"), server.channel("general")
    bot = await start_bot()
    grid = await draw(member, art, prompt="x" * 1500, seed="5")
    plain = await member.send(art, "hello")
    link = f"https://discord.com/channels/{art.guild_id}/{art.id}/{grid.id}"
    for handle in (
        await other.slash("recipe", general, link=link),
        await other.context_menu("Recipe", grid, art),
    ):
        message = await handle.wait_answered()
        assert message.is_ephemeral
        assert "seeds: 5, 6, 7" in message.text()
        [file] = message.attachments
        assert b"x" * 1500 in file.content
    form = await other.context_menu("Remix", grid, art)
    await form.wait_modal()
    await (await other.submit_modal(form, {"prompt": "wolf"})).wait_for(has_grid)
    await refusal(await other.context_menu("Recipe", plain, art))
    await refusal(await other.context_menu("Remix", plain, art))
    for wrong in ("hello", "https://discord.com/channels/1/2/3", link.replace("discord", "evil")):
        await refusal(await other.slash("recipe", general, link=wrong))

    art.overwrites[other.id] = Overwrite(deny=Permission.VIEW_CHANNEL)
    assert await bot.stop() == 0
    await start_bot()
    await refusal(await other.slash("recipe", general, link=link))
    mine = await (await member.slash("recipe", general, link=link)).wait_answered()
    assert "seeds: 5, 6, 7" in mine.text()


async def test_people_of_a_playground_that_was_started_again_keep_their_pictures(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    await draw(server.person("member"), server.channel("art"))
    assert await bot.stop() == 0
    world = default_world(PSEUDO)
    async with Playground(TOKEN, world=world, contract=Lens(world)) as later:
        bot = await start_bot(connected=False, DISCORD_API_BASE=later.api_base)
        await later.wait_connected(20)
        await later.wait_synced("gallery")
        handle = await later.person("member").slash("gallery", later.channel("art"))
        assert len((await handle.wait_answered()).attachments) == 1
        handle = await later.person("newcomer").slash("gallery", later.channel("art"))
        assert "no pictures yet" in (await handle.wait_answered()).text()
        assert await bot.stop() == 0


async def test_styles_belong_to_the_server_and_only_its_managers_change_them(
    server: Playground, start_bot: StartBot
):
    owner, member, art = server.person("owner"), server.person("member"), server.channel("art")
    bot = await start_bot()
    names = [c["value"] for c in await member.autocomplete("imagine", art, "style", "", prompt="x")]
    assert names == ["ink", "low poly", "oil painting", "photo", "pixel art", "watercolour"]
    with pytest.raises(ClientRefusedError):
        await member.slash("style save", art, name="noir", before="black and white")
    forged = await member.unchecked.slash("style save", art, name="noir", before="x")
    assert "Manage Server" in await refusal(forged)
    await refusal(await member.unchecked.slash("style remove", art, name="ink"))

    saved = await owner.slash(
        *("style save", art), name="Noir", before="film noir of", after="rain", sampler="euler"
    )
    assert "noir" in (await saved.wait_answered()).text()
    await (await owner.slash("style remove", art, name="ink")).wait_answered()
    for wrong in ({"name": "@everyone", "after": "x"}, {"name": "empty"}):
        await refusal(await owner.slash("style save", art, **wrong))
    await refusal(await owner.slash("style remove", art, name="never was"))
    again = await owner.slash(
        *("style save", art), name="noir", before="film noir of", after="fog", sampler="euler"
    )
    assert "noir" in (await again.wait_answered()).text()
    assert await bot.stop() == 0
    rain = {"before": "film noir of", "after": "rain", "sampler": "euler"}
    ink = {"before": "an ink drawing of", "after": "black lines on white paper"}
    entries = bot.rows("SELECT * FROM audit ORDER BY entry_id")
    assert [
        (entry["action"], say_of(entry), entry["old_value"], entry["new_value"])
        for entry in entries
    ] == [
        ("style_saved", "noir", "", json.dumps(rain)),
        ("style_removed", "ink", json.dumps(ink | {"negative_prompt": "photograph, colour"}), ""),
        ("style_saved", "noir", json.dumps(rain), json.dumps(rain | {"after": "fog"})),
    ]
    assert {entry["actor_id"] for entry in entries} == {owner.id}

    bot = await start_bot()
    offered = await member.autocomplete("imagine", art, "style", "NO", prompt="x")
    assert [choice["value"] for choice in offered] == ["noir"]
    listed = await (await owner.slash("style list", art)).wait_answered()
    assert "film noir of" in listed.text()
    assert "ink" not in listed.text()
    grid = await draw(member, art, prompt="a cat", style="noir")
    assert grid.text().startswith("**a cat** ·")
    assert "film noir of a cat, fog" in str(grid.attachments[0].description)
    assert "no such style" in await refusal(
        await member.slash("imagine", art, prompt="a cat", style="ink")
    )
    assert await bot.stop() == 0
    drawn, _ = bot.recipes()
    assert (drawn.prompt, drawn.sampler) == ("film noir of a cat, fog", "euler")
    refused = bot.rows()[-1]
    assert (refused["status"], refused["reason_code"]) == ("refused", "style_unknown")
