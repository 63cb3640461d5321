"""The buttons under a grid work after a restart, count two presses once, and obey the rules."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.recipes import StartPicture
from playground import (
    Member,
    Message,
    Overwrite,
    Permission,
    Person,
    Playground,
    add_channel,
    add_guild,
)
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import button, draw, forge, has_grid, open_picture, press, refusal, upload_of


def rewrite(data_dir: Path, sql: str) -> None:
    """Change the database in a way that only another version, or the passing of time, would do."""
    with closing(sqlite3.connect(data_dir / "triptych.sqlite3")) as connection:
        connection.execute(sql)
        connection.commit()


async def test_every_button_works_after_a_restart_for_somebody_else(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot(MAX_COST_PER_MEMBER_PER_HOUR="10000")
    grid = await draw(member, art, negative_prompt="cat", steps=6)
    assert await bot.stop() == 0

    bot = await start_bot(MAX_COST_PER_MEMBER_PER_HOUR="10000")
    single = await (await press(other, grid, "2")).wait_answered()
    assert single.is_ephemeral
    assert open_picture(single).getpixel((0, 0)) == (8, 8, 8)
    assert single.attachments[0].description == "Picture 2 of 3, drawn from the prompt: dog"
    again = await (await press(other, grid, "↻")).wait_for(has_grid)
    siblings = await (await press(other, grid, "Vary 3")).wait_for(has_grid)
    upscaled = await (await press(other, single, "Upscale (redraw)")).wait_for(has_grid)
    assert open_picture(upscaled).size == (128, 128)
    assert "×2 from picture 2 of #1" in upscaled.text()
    sibling = await (await press(other, upscaled, "Vary")).wait_for(has_grid)
    twice = await (await press(other, upscaled, "Upscale (redraw)")).wait_for(has_grid)
    sibling_of_twice = await (await press(other, twice, "Vary")).wait_for(has_grid)
    assert open_picture(twice).size == (256, 256)
    for each in (sibling, sibling_of_twice):
        assert open_picture(each).size == open_picture(grid).size
    labels = [b.label for b in upscaled.buttons()]
    assert labels == ["Upscale", "Upscale (redraw)", "Vary", "✎ Remix", "Use as start", "⋯"]
    assert all(message.reference_id for message in (again, siblings, upscaled))
    recipe = await (await press(other, grid, "⋯")).wait_answered()
    assert recipe.is_ephemeral
    for part in ("seeds: 7, 8, 9", "size: 64x64", "steps: 6", "cat", "sampler: DDIM", "fake model"):
        assert part in recipe.text()
    assert "Delete the pictures" not in [b.label for b in recipe.buttons()]

    assert await bot.stop() == 0
    first, rerolled, varied, larger, sibling_of_larger, _, sibling_of_largest = bot.recipes()
    assert [row["job_id"] for row in bot.rows()] == list(range(1, 8))
    assert [row["user_id"] for row in bot.rows()][1:4] == [other.id] * 3
    for sibling, source in ((sibling_of_larger, 4), (sibling_of_largest, 6)):
        assert sibling.size == (64, 64)
        assert sibling.start
        assert sibling.start.job_id == source
    assert rerolled.seeds != first.seeds
    for name in ("prompt", "negative_prompt", "num_inference_steps", "sampler", "guidance_scale"):
        assert len({getattr(each, name) for each in (first, rerolled, varied, larger)}) == 1
    assert varied.start
    assert larger.start
    assert (varied.start.job_id, varied.start.panel) == (1, 3)
    assert (larger.start.job_id, larger.start.panel) == (1, 2)
    assert (larger.seeds, larger.size) == ((8,), (128, 128))


async def test_remix_opens_with_the_recipe_and_sends_what_was_changed(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art, negative_prompt="cat", guidance=4.5, clip_skip=1)
    form = await press(other, grid, "✎ Remix")
    shown = json.dumps(await form.wait_modal(), ensure_ascii=False)
    for value in ('"dog"', '"cat"', '"64x64"', '"4 / 4.5 / DDIM"'):
        assert value in shown
    assert await bot.stop() == 0

    bot = await start_bot()  # the form was open all the time
    sent = await other.submit_modal(
        form, {"prompt": "a wolf", "settings": "5 / 2,5 / euler", "seed": "3", "size": "64x128"}
    )
    await sent.wait_for(has_grid)
    assert await bot.stop() == 0
    _, recipe = bot.recipes()
    assert (recipe.prompt, recipe.negative_prompt, recipe.seeds) == ("a wolf", "cat", (3, 4, 5))
    assert (recipe.num_inference_steps, recipe.guidance_scale) == (5, 2.5)
    assert (recipe.sampler, recipe.clip_skip, recipe.size) == ("euler", 1, (64, 128))
    assert bot.rows()[1]["user_id"] == other.id


async def test_use_as_start_draws_from_that_picture(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    single = await (await press(member, grid, "1")).wait_answered()
    form = await press(member, single, "Use as start")
    await form.wait_modal()
    sent = await member.submit_modal(form, {"prompt": "a wolf", "strength": "0.25"})
    message = await sent.wait_for(has_grid)
    assert "strength 0.25" in message.text()
    assert await bot.stop() == 0
    _, recipe = bot.recipes()
    assert (recipe.prompt, recipe.start) == ("a wolf", StartPicture(1, 1, 0.25))


async def test_wrong_words_in_a_form_are_answered_alone(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    wrong = [
        {"size": "huge"},
        {"seed": "seven"},
        {"settings": "many / 7 / ddim"},
        {"settings": "1 / 2 / 3 / 4"},
        {"settings": "4 / 7 / nonsense"},
        {"settings": "100000 / 7 / ddim"},
    ]
    for values in wrong:
        form = await press(member, grid, "✎ Remix")
        await form.wait_modal()
        await refusal(await member.submit_modal(form, values))
    assert await bot.stop() == 0
    assert {row["status"] for row in bot.rows()[1:]} <= {"refused"}


async def test_two_presses_at_once_are_one_job(server: Playground, start_bot: StartBot):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot(FAKE_STEP_SECONDS="0.1")
    grid = await draw(member, art)
    for label in ("↻", "Vary 1"):
        handles = [await press(member, grid, label) for _ in range(25)]
        theirs = await press(other, grid, label)
        answers = [await handle.wait_answered(20) for handle in handles]
        assert sum(not message.is_ephemeral for message in answers) == 1
        assert {m.text()[:16] for m in answers if m.is_ephemeral} == {"You have already"}
        await theirs.wait_for(has_grid)
        [public] = [h for h, m in zip(handles, answers, strict=True) if not m.is_ephemeral]
        await public.wait_for(has_grid)
    once_more = await press(member, grid, "↻")
    await once_more.wait_for(has_grid)
    assert await bot.stop() == 0
    assert len(bot.rows()) == 1 + 2 * 2 + 1


@pytest.mark.parametrize(
    "way", ["reroll", "vary", "upscale", "redraw", "remix", "start", "upload", "style"]
)
async def test_every_way_to_ask_goes_through_the_rules(
    server: Playground, start_bot: StartBot, way: str
):
    """The grid was drawn before the rule was added."""
    member, owner, art = server.person("member"), server.person("owner"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art, prompt="a gory scene")
    single = await (await press(member, grid, "1")).wait_answered()
    if way == "style":
        saved = await owner.slash("style save", art, name="horror", before="gory painting of")
        await saved.wait_answered()
    assert await bot.stop() == 0

    bot = await start_bot(BLOCKED_WORDS="gory")
    match way:
        case "reroll":
            handle = await press(member, grid, "↻")
        case "vary":
            handle = await press(member, grid, "Vary 1")
        case "upscale":
            handle = await press(member, single, "Upscale")
        case "redraw":
            handle = await press(member, single, "Upscale (redraw)")
        case "remix" | "start":
            form = await press(
                member, *((grid, "✎ Remix") if way == "remix" else (single, "Use as start"))
            )
            await form.wait_modal()
            handle = await member.submit_modal(form, {})
        case "upload":
            handle = await member.slash("imagine", art, prompt="gory", image=upload_of(single))
        case _:
            handle = await member.slash("imagine", art, prompt="dog", style="horror")
    assert "gory" in await refusal(handle)
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["delivered", "refused"]


@pytest.mark.parametrize("way", ["start", "vary", "remix", "upload", "style"])
async def test_always_refused_classes_hold_for_a_picture_and_new_words_together(
    server: Playground, start_bot: StartBot, way: str
):
    member, owner, art = server.person("member"), server.person("owner"), server.channel("art")
    bot = await start_bot(LOG_LEVEL="INFO")
    first = await draw(member, art, prompt="nude statue")
    single = await (await press(member, first, "1")).wait_answered()
    grid = await (await press(member, first, "Vary 1")).wait_for(has_grid)
    behind, sealed = "sexual content about minors. The earlier prompts", "Nobody can see or use"
    real = "people send may show real persons"
    say = {"vary": sealed, "upload": real, "style": real}.get(way, behind)
    match way:
        case "start" | "remix":  # the form of a varied picture keeps the picture it was drawn from
            pressed = (single, "Use as start") if way == "start" else (grid, "✎ Remix")
            form = await press(member, *pressed)
            await form.wait_modal()
            handle = await member.submit_modal(form, {"prompt": "child"})
        case "vary":
            rewrite(
                bot.data_dir,
                "UPDATE job SET recipe = json_set(recipe, '$.prompt', 'child') WHERE job_id = 2",
            )
            handle = await press(member, grid, "Vary 1")
        case "upload":
            handle = await member.slash("imagine", art, prompt="bikini", image=upload_of(single))
        case _:
            saved = await owner.slash("style save", art, name="beach", after="bikini")
            await saved.wait_answered()
            image = upload_of(single)
            handle = await member.slash("imagine", art, prompt="dog", style="beach", image=image)
    assert say in await refusal(handle)
    assert await bot.stop() == 0
    refused = [] if way == "vary" else ["refused"]  # a sealed picture shows no prompt
    assert [row["status"] for row in bot.rows()] == ["delivered", "delivered", *refused]
    assert [row["job_id"] for row in bot.rows("SELECT DISTINCT job_id FROM picture")] == [1, 2]
    assert "child" not in bot.log
    assert "bikini" not in bot.log


async def erase(server: Playground, person: Person, menu: Message) -> None:
    """Delete the pictures, and confirm that."""
    asked = await (await press(person, menu, "Delete the pictures")).wait_answered()
    await press(person, asked, "Delete for good")
    await server.wait_until(lambda: "Deleted" in asked.text(), 10)


async def test_only_the_author_and_moderators_delete_and_nothing_is_left(
    server: Playground, start_bot: StartBot
):
    member, other = server.person("member"), server.person("newcomer")
    moderator, art = server.person("moderator"), server.channel("art")
    bot = await start_bot()
    grids = [await draw(member, art), await draw(member, art)]
    for person, grid in zip((member, moderator), grids, strict=True):
        menu = await (await press(person, grid, "⋯")).wait_answered()
        for custom_id in (
            button(menu, "Delete the pictures"),
            f"v1:erase:{grids.index(grid) + 1}:0",
        ):
            assert "Manage Messages" in await refusal(await forge(other, grid, custom_id))
        asked = await (await press(person, menu, "Delete the pictures")).wait_answered()
        assert "for good?" in asked.text()
        assert not grid.is_deleted
        await press(person, asked, "Delete for good")
        await server.wait_until(lambda asked=asked: "Deleted" in asked.text(), 10)
        assert grid.is_deleted
    await forge(moderator, menu, "v1:erase:1:0")  # the author has already deleted it
    await server.wait_until(lambda: "Deleted" in menu.text(), 10)
    [told] = await server.wait_until(lambda: server.messages(member.direct_channel), 10)
    assert "removed the pictures of your prompt #2" in told.text()
    assert list((bot.data_dir / "pictures").iterdir()) == []
    mine = await (await member.slash("gallery", art)).wait_answered()
    assert "no pictures yet" in mine.text()
    assert await bot.stop() == 0
    assert [row["deleted_by"] for row in bot.rows()] == [member.id, moderator.id]
    assert bot.rows("SELECT * FROM picture") == []
    [row] = bot.rows("SELECT * FROM audit")
    assert (row["action"], row["job_id"]) == ("pictures_deleted", 2)
    assert (row["actor_id"], row["member_id"]) == (moderator.id, member.id)


async def test_who_manages_messages_elsewhere_deletes_nothing_here(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    elsewhere = server.channel("general")
    elsewhere.overwrites[other.id] = Overwrite(allow=int(Permission.MANAGE_MESSAGES))
    bot = await start_bot()
    grid = await draw(member, art)
    own = await draw(other, elsewhere)
    refused = await refusal(await forge(other, own, "v1:delete:1:0"))
    assert "not know that picture in this channel" in refused
    assert not grid.is_deleted
    menu = await (await press(other, own, "⋯")).wait_answered()
    await erase(server, other, menu)
    assert await bot.stop() == 0
    assert [row["deleted_by"] for row in bot.rows()] == [None, other.id]


async def test_buttons_of_deleted_pictures_offer_the_recipe(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    single = await (await press(member, grid, "1")).wait_answered()
    form, start = await press(member, grid, "✎ Remix"), await press(member, single, "Use as start")
    await form.wait_modal()
    await start.wait_modal()
    menu = await (await press(member, grid, "⋯")).wait_answered()
    await erase(server, member, menu)
    assert await bot.stop() == 0

    bot = await start_bot()
    for label in ("Upscale", "Upscale (redraw)", "Vary", "✎ Remix", "Use as start", "⋯"):
        assert "is gone" in await refusal(await press(member, single, label))
    for handle in (form, start):
        gone = await member.submit_modal(handle, {"prompt": "wolf"})
        assert "is gone" in await refusal(gone)
    assert len(bot.rows()) == 1
    offer = await (await press(member, single, "Vary")).wait_answered()
    await (await press(member, offer, "↻ Reroll")).wait_for(has_grid)


async def test_buttons_say_when_the_time_for_which_pictures_are_kept_is_over(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    assert await bot.stop() == 0
    rewrite(bot.data_dir, "UPDATE job SET accepted_at = accepted_at - 100 * 86400")
    rewrite(bot.data_dir, "DELETE FROM meta WHERE key = 'retention_ran_at'")
    await start_bot()
    async with asyncio.timeout(10):
        while bot.rows()[0]["user_id"]:  # noqa: ASYNC110 - a row of another process
            await asyncio.sleep(0.05)
    for label in ("1", "Vary 1", "↻", "✎ Remix", "⋯"):
        told = await refusal(await press(member, grid, label))
        assert "is over" in told
        assert "A moderator can delete the message" in told


async def test_buttons_of_a_member_who_deleted_their_data_say_so_and_draw_nothing(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    single = await (await press(other, grid, "1")).wait_answered()
    question = await (await member.slash("privacy delete", art)).wait_answered()
    answer = await press(member, question, "Delete everything")
    done = await answer.wait_for(lambda message: "are deleted" in message.text())
    assert "1 message in a channel is deleted too" in done.text()
    assert "What stays" in done.text()
    for person, message, label in [
        *((member, single, label) for label in ("Upscale", "Vary", "✎ Remix", "⋯")),
        *((other, single, label) for label in ("Use as start", "✎ Remix", "⋯")),
        (other, grid, "↻"),
    ]:
        told = await refusal(await person.unchecked.press(message, button(message, label)))
        assert "their author deleted them" in told, label
    async with asyncio.timeout(20):
        while not grid.is_deleted:  # noqa: ASYNC110 - the bot deletes it in the background
            await asyncio.sleep(0.05)
    assert await bot.stop() == 0
    assert len(bot.rows()) == 1
    assert bot.rows("SELECT * FROM message_to_delete") == []


async def test_what_a_moderator_removed_is_not_drawn_again(server: Playground, start_bot: StartBot):
    member, moderator, art = (
        server.person("member"),
        server.person("moderator"),
        server.channel("art"),
    )
    bot = await start_bot()
    grid = await draw(member, art)
    single = await (await press(member, grid, "1")).wait_answered()
    menu = await (await press(moderator, grid, "⋯")).wait_answered()
    await erase(server, moderator, menu)
    for custom_id in (button(single, "Vary"), "v1:reroll:1:0", "v1:more:1:0", "v1:remix:1:0"):
        handle = await forge(member, single, custom_id)
        assert "moderator" in await refusal(handle)
    assert len(bot.rows()) == 1


STRANGE_IDS = [
    "nonsense",
    "v1:dance:1:0",
    "v1:pick:1:9",
    "v0:pick:1:1",
    "v2:pick:1:1",
    "v1:pick:999:1",
    "v1:vary:1:0",
    "v1:pick:9999999999999999999:1",
    "v1:reroll:99999999999999999999999999:0",
    "v1:remix:77:0",
    "v1:delete:77:0",
    "x" * 100,
]


async def test_buttons_that_nobody_made_are_answered_and_do_nothing(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art)
    for custom_id in STRANGE_IDS:
        await refusal(await member.unchecked.press(grid, custom_id))
        await refusal(await forge(member, grid, custom_id))
    assert len(bot.rows()) == 1


async def test_job_of_another_server_is_not_known_here(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    world = server.world
    elsewhere = add_guild(world, "Elsewhere", owner=server.person("owner").user)
    elsewhere.members[world.bot.id] = Member(world.bot)
    elsewhere.members[member.id] = Member(member.user)
    far = add_channel(world, elsewhere, "far")
    bot = await start_bot()
    grid = await draw(server.person("owner"), far)
    own = await draw(member, art)
    looking = ("pick", "original", "more", "delete")
    for action in (*looking, "vary", "reroll", "remix", "upscale", "redraw", "start"):
        assert "I do not know that picture" in await refusal(
            await forge(member, own, f"v1:{action}:1:1")
        )
    assert not grid.is_deleted
    assert len(bot.rows()) == 2


async def test_hidden_pictures_have_no_use(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_PICTURE_CHECK="0.9")
    grid = await draw(member, art)
    disabled = {b.label for b in grid.buttons() if b.is_disabled}
    assert disabled == {"1", "2", "3", "Vary 1", "Vary 2", "Vary 3"}
    for action in ("pick", "original", "vary", "upscale", "redraw", "start"):
        handle = await forge(member, grid, f"v1:{action}:1:2")
        assert "hidden by the filter" in await refusal(handle)
    assert len(bot.rows()) == 1
