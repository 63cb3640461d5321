"""A refused form can be opened again with what was typed, by the person who typed it."""

from __future__ import annotations

import asyncio

import pytest

from playground import Message, Playground
from playground.people import InteractionHandle, Person
from playground.world.scenery import add_role
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import draw, has_grid, press
from tests.e2e.test_settings import open_panel

REMIX = {
    "prompt": "a *wolf* in `autumn`\nleaves",
    "negative": "",
    "size": "huge",
    "seed": "3",
    "settings": "5 / 2.5 / euler",
}


async def list_typed(form: InteractionHandle) -> dict[str, str]:
    """Return what is in the fields of an open form."""
    parts = [part["component"] for part in (await form.wait_modal())["components"]]
    return {part["custom_id"]: part.get("value") or "" for part in parts}


async def find_again(handle: InteractionHandle) -> Message:
    """Return the refusal, which has the button."""
    message = await handle.wait_for(
        lambda shown: any(b.label == "Try again" for b in shown.buttons())
    )
    assert message.is_ephemeral
    return message


async def refuse(person: Person, form: InteractionHandle, typed: dict[str, str]) -> Message:
    await form.wait_modal()
    return await find_again(await person.submit_modal(form, typed))


async def test_refused_remix_opens_again_with_what_was_typed_until_it_is_taken(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(BLOCKED_WORDS="kale")
    grid = await draw(member, art)
    refused = await refuse(member, await press(member, grid, "✎ Remix"), REMIX)
    assert "not a size" in refused.text()
    form = await press(member, refused, "Try again")
    assert await list_typed(form) == REMIX
    # Now intake refuses the words because of the rules, not the form; the same words come back.
    second = REMIX | {"prompt": "a wolf with kale", "size": "64x64"}
    refused = await refuse(member, form, second)
    form = await press(member, refused, "Try again")
    assert await list_typed(form) == second
    sent = await member.submit_modal(form, second | {"prompt": "a wolf"})
    await sent.wait_for(has_grid)
    assert await bot.stop() == 0
    assert "wolf" not in bot.log
    assert bot.recipes()[-1].prompt == "a wolf"


async def test_nobody_else_opens_it_and_a_restart_says_that_it_is_gone(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    refused = await refuse(member, await press(member, grid, "✎ Remix"), REMIX)
    [again] = [b.custom_id for b in refused.buttons() if b.label == "Try again"]
    assert again is not None
    assert "wolf" not in again
    stolen = await other.unchecked.press(refused, again)
    assert "this form is gone" in (await stolen.wait_answered()).text()
    assert await bot.stop() == 0
    await start_bot()
    gone = await (await press(member, refused, "Try again")).wait_answered()
    assert "until it is restarted" in gone.text()
    assert "open the form again" in gone.text()


async def test_member_who_deletes_their_data_leaves_no_typed_words_either(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    refused = await refuse(member, await press(member, grid, "✎ Remix"), REMIX)
    question = await (await member.slash("privacy delete", art)).wait_answered()
    pressed = await press(member, question, "Delete everything")
    await pressed.wait_for(lambda message: "are deleted" in message.text())
    gone = await (await press(member, refused, "Try again")).wait_answered()
    assert "this form is gone" in gone.text()
    assert await bot.stop() == 0


async def test_words_for_pictures_that_are_gone_are_handed_over_as_a_file(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    form = await press(member, grid, "✎ Remix")
    await form.wait_modal()
    menu = await (await press(member, grid, "⋯")).wait_answered()
    asked = await (await press(member, menu, "Delete the pictures")).wait_answered()
    handle = await press(member, asked, "Delete for good")
    await handle.wait_for(lambda shown: "Deleted" in shown.text())
    refused = await find_again(await member.submit_modal(form, REMIX))
    handle = await press(member, refused, "Try again")
    message = await handle.wait_for(lambda shown: "What you typed" in shown.text())
    [file] = message.attachments
    assert REMIX["prompt"] in file.content.decode()
    assert await bot.stop() == 0


async def test_reports_and_appeals_come_back_too(server: Playground, start_bot: StartBot):
    member, other = server.person("member"), server.person("newcomer")
    moderator, art = server.person("moderator"), server.channel("art")
    bot = await start_bot()
    panel = await open_panel(server, moderator, "review")
    review = server.channel("general")
    handle = await moderator.select(panel, "v1:settings:review.review_channel_id", [review])
    await handle.wait_acknowledged()
    grid = await draw(member, art)
    async with asyncio.timeout(10):
        while bot.rows()[0]["status"] != "delivered":  # noqa: ASYNC110 - a row of another process
            await asyncio.sleep(0.05)
    forms = [await other.context_menu("Report picture", grid, art) for _ in range(2)]
    for form in forms:
        await form.wait_modal()
    await (await other.submit_modal(forms[0], {"reason": "rude"})).wait_answered()
    refused = await refuse(other, forms[1], {"reason": "it is *rude*"})
    again = await press(other, refused, "Try again")
    assert await list_typed(again) == {"reason": "it is *rude*"}

    for days in (1, 2):
        handle = await moderator.slash("suspend", art, member=member.user, days=days, reason="no")
        await handle.wait_answered()
    told = await (await member.slash("imagine", art, prompt="dog")).wait_answered()
    form = await press(member, told, "Appeal")
    await form.wait_modal()
    await (await moderator.slash("unsuspend", art, member=member.user)).wait_answered()
    refused = await find_again(await member.submit_modal(form, {"text": "I am sorry"}))
    # there is nothing to appeal against any more
    handle = await press(member, refused, "Try again")
    message = await handle.wait_for(lambda shown: bool(shown.attachments))
    assert message.attachments[0].content.decode() == "I am sorry"
    assert await bot.stop() == 0


@pytest.mark.parametrize("number", ["soon", "1000"])
async def test_numbers_of_settings_come_back_and_forms_survive_a_restart(
    server: Playground, start_bot: StartBot, number: str
):
    bot = await start_bot()
    moderator = server.person("moderator")
    panel = await open_panel(server, moderator, "review")
    form = await moderator.select(panel, "v1:settings:review.number", ["review_hours"])
    await form.wait_modal()
    assert await bot.stop() == 0
    bot = await start_bot()
    refused = await refuse(moderator, form, {"review_hours": number})
    form = await press(moderator, refused, "Try again")
    assert await list_typed(form) == {"review_hours": number}
    sent = await moderator.submit_modal(form, {"review_hours": "48"})
    await sent.wait_acknowledged()
    # the message has become the panel
    assert "Hours until a card expires: **48**" in refused.text()
    assert await bot.stop() == 0


async def test_quota_of_a_role_comes_back_with_every_field(server: Playground, start_bot: StartBot):
    guild = next(iter(server.world.guilds.values()))
    artists, moderator = add_role(server.world, guild, "Artists", 0), server.person("moderator")
    bot = await start_bot()
    panel = await open_panel(server, moderator, "quotas")
    form = await moderator.select(panel, "v1:settings:quotas.quota", [artists])
    typed = {"max_cost_per_day": "lots", "max_waiting": "2", "weight": ""}
    refused = await refuse(moderator, form, typed)
    assert await list_typed(await press(moderator, refused, "Try again")) == typed
    assert await bot.stop() == 0
