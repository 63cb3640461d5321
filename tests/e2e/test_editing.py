"""/edit and the button Edit: a picture is changed as an instruction says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.recipes import StartPicture
from playground import Playground
from playground.world.scenery import add_role
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import button, draw, forge, has_grid, open_picture, press, refusal
from tests.e2e.test_forms import list_typed, refuse
from tests.e2e.test_models import CLASSIC, SWIFT
from tests.e2e.test_upload import make_upload

CLUB = """
[[model]]
id = "club"
model = "starter"
label = "Club"
roles = ["{role}"]
"""
WINTER = {"instruction": "make it winter"}


async def test_command_edits_a_picture_and_says_so_everywhere(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_EDITORS="fake model")
    sent = {"picture": make_upload()} | WINTER
    grid = await (await member.slash("edit", art, **sent)).wait_for(has_grid)
    assert "make it winter" in grid.text()
    assert "edited from a picture that the member sent" in grid.text()
    assert open_picture(grid).text["edited_from"] == "upload"
    menu = await (await press(member, grid, "⋯")).wait_answered()
    assert "edited from a picture that the member sent" in menu.text()
    gallery = await (await member.slash("gallery", art)).wait_answered()
    assert "edited from a picture that the member sent" in gallery.text()
    assert await bot.stop() == 0

    bot = await start_bot(FAKE_EDITORS="fake model")
    again = await (await press(member, grid, "↻")).wait_for(has_grid)
    assert "edited from a picture that the member sent" in again.text()
    assert await bot.stop() == 0
    first, rerolled = bot.recipes()
    assert first.start == StartPicture(0, 0, 1.0, edited=True)
    assert rerolled.start == replace(first.start, job_id=1)
    assert rerolled.prompt == "make it winter"


async def test_button_opens_a_form_that_edits_one_picture(server: Playground, start_bot: StartBot):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot(FAKE_EDITORS="fake model", BLOCKED_WORDS="kale")
    grid = await draw(member, art)
    single = await (await press(member, grid, "2")).wait_answered()
    larger = await (await press(member, single, "Upscale (redraw)")).wait_for(has_grid)
    assert [each.label for each in larger.buttons()][-2:] == ["Edit", "⋯"]
    form = await press(member, single, "Edit")
    assert await list_typed(form) == {"instruction": ""}
    refused = await refuse(member, form, {"instruction": "add kale"})
    assert "kale" in refused.text()
    form = await press(member, refused, "Try again")
    assert await list_typed(form) == {"instruction": "add kale"}
    sent = await member.submit_modal(form, WINTER)
    edited = await sent.wait_for(has_grid)
    assert "edited from picture 2 of #1" in edited.text()
    assert open_picture(edited).text["edited_from"] == "picture"
    assert "start" not in open_picture(edited).text
    single = await (await press(other, edited, "3")).wait_answered()
    assert button(single, "Edit") == "v1:edit:4:3"
    assert await bot.stop() == 0
    assert "winter" not in bot.log


async def test_without_a_model_that_edits_there_is_no_button_and_a_clear_refusal(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    handle = await member.slash("edit", art, picture=make_upload(), **WINTER)
    assert "No model that you can use here can edit pictures" in await refusal(handle)
    grid = await draw(member, art)
    single = await (await press(member, grid, "1")).wait_answered()
    assert "Edit" not in [each.label for each in single.buttons()]
    forged = await forge(member, grid, "v1:edit:2:1")
    assert "can edit pictures" in await refusal(forged)
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["refused", "delivered"]


async def test_only_those_who_may_use_the_model_that_edits_find_the_button(
    server: Playground, start_bot: StartBot, tmp_path: Path
):
    member, art = server.person("member"), server.channel("art")
    guild = next(iter(server.world.guilds.values()))
    club = add_role(server.world, guild, "Club", 0)
    path = tmp_path / "models.toml"
    path.write_text(CLASSIC + SWIFT + CLUB.format(role=club.id))
    await start_bot(MODELS_FILE=str(path), FAKE_EDITORS="club")
    grid = await draw(member, art)
    single = await (await press(member, grid, "1")).wait_answered()
    assert "Edit" not in [each.label for each in single.buttons()]
    guild.members[member.id].role_ids.append(club.id)
    found = await member.autocomplete("edit", art, "model", "", picture=make_upload(), **WINTER)
    assert [each["value"] for each in found] == ["club"]
    single = await (await press(member, grid, "1")).wait_answered()
    form = await press(member, single, "Edit")
    await form.wait_modal()
    edited = await (await member.submit_modal(form, WINTER)).wait_for(has_grid)
    assert "club · " in edited.text()
    handle = await member.slash("edit", art, picture=make_upload(), model="swift", **WINTER)
    told = await refusal(handle)
    assert "The model Swift flow cannot edit pictures. Choose one of: Club." in told


@pytest.mark.parametrize("words", ["strip", "remove all of her long red dress", "nude lipstick"])
async def test_nobody_is_undressed_in_a_picture_that_was_sent(
    server: Playground, start_bot: StartBot, words: str
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_EDITORS="fake model")
    handle = await member.slash("edit", art, picture=make_upload(), instruction=words)
    assert "Pictures that people send may show real persons" in await refusal(handle)
    grid = await (await member.slash("edit", art, picture=make_upload(), **WINTER)).wait_for(
        has_grid
    )
    single = await (await press(member, grid, "1")).wait_answered()
    form = await press(member, single, "Edit")
    refused = await refuse(member, form, {"instruction": words})
    assert "Pictures that people send may show real persons" in refused.text()
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["refused", "delivered", "refused"]
