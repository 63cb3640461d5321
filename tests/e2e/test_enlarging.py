"""Upscale, Upscale (redraw) and Original size, with and without the upscaler."""

from __future__ import annotations

import json

import pytest

from bot.domain.recipes import StartPicture
from playground import Playground
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import button, draw, forge, has_grid, open_picture, press, refusal
from tests.fakes.engine import UPSCALING_COST

NAME = "realesr-animevideov3-x4"


async def test_upscale_enlarges_the_picture_and_draws_nothing(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art, seed="7")
    single = await (await press(member, grid, "2")).wait_answered()
    assert "Original size" not in [b.label for b in single.buttons()], "it is shown as drawn"
    assert await bot.stop() == 0

    bot = await start_bot(MAX_COST_PER_MEMBER_PER_HOUR="1000")
    upscaled = await (await press(member, single, "Upscale")).wait_for(has_grid)
    picture = open_picture(upscaled)
    assert (picture.size, picture.getpixel((0, 0))) == ((256, 256), (8, 8, 8))
    assert f"×4 from picture 2 of #1, by {NAME}" in upscaled.text()
    assert (picture.text["upscaler"], picture.text["upscale_factor"]) == (NAME, "4")
    assert picture.text["prompt"] == "dog"
    details = await (await press(member, upscaled, "⋯")).wait_answered()
    assert f"×4 from picture 2 of #1, by {NAME}" in details.text()

    larger = await (await press(other, upscaled, "Upscale")).wait_for(has_grid)
    assert open_picture(larger).size == (1024, 1024)
    varied = await (await press(other, larger, "Vary")).wait_for(has_grid)
    redrawn = await (await press(other, upscaled, "Upscale (redraw)")).wait_for(has_grid)
    assert open_picture(redrawn).size == (512, 512)
    told = await refusal(await press(member, larger, "Upscale"))
    assert "between 64 and 1,536 pixels" in told
    form = await press(member, redrawn, "✎ Remix")
    assert '"64x64"' in json.dumps(await form.wait_modal()), "the size before any enlarging"
    assert open_picture(varied).size == open_picture(grid).size
    assert await bot.stop() == 0

    first, second, third, sibling, fifth, _ = bot.recipes()
    assert second.start == StartPicture(1, 2, 0.0, factor=4, upscaled=4)
    assert third.start == StartPicture(2, 1, 0.0, factor=16, upscaled=4)
    assert fifth.start == StartPicture(2, 1, 0.2, factor=8)
    assert (second.upscaler, second.upscale_factor, second.seeds) == (NAME, 4, (8,))
    assert (second.prompt, second.model, second.num_inference_steps) == ("dog", first.model, 4)
    assert (sibling.size, sibling.upscaler, fifth.upscaler) == ((64, 64), None, None)
    rows = bot.rows()
    assert [row["user_id"] for row in rows] == [member.id] * 2 + [other.id] * 3 + [member.id]
    assert rows[1]["cost_estimate"] == UPSCALING_COST
    assert 0 < rows[1]["cost"] <= UPSCALING_COST
    assert rows[-1]["status"] == "refused"
    pictures = bot.rows("SELECT job_id, panel, nsfw_score FROM picture WHERE job_id = 2")
    assert [row["panel"] for row in pictures] == [0, 1]
    assert pictures[1]["nsfw_score"] is not None, "the large picture was judged"


async def test_enlarging_shows_its_progress_and_can_be_cancelled(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    single = await (await press(member, await draw(member, art), "1")).wait_answered()
    assert await bot.stop() == 0
    bot = await start_bot(FAKE_STEP_SECONDS="5")
    handle = await press(member, single, "Upscale")
    message = await handle.wait_for(lambda message: "Enlarging" in message.text(), 20)
    assert "part 0 of 1" in message.text()
    await (await member.slash("cancel", art)).wait_answered()
    await bot.stop(within=20)
    assert [row["status"] for row in bot.rows()] == ["delivered", "cancelled"]


async def test_two_presses_of_upscale_are_one_job(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_STEP_SECONDS="0.3")
    single = await (await press(member, await draw(member, art), "1")).wait_answered()
    handles = [await press(member, single, "Upscale") for _ in range(8)]
    answers = [await handle.wait_answered(20) for handle in handles]
    assert sum(not message.is_ephemeral for message in answers) == 1
    assert await bot.stop() == 0
    assert len(bot.rows()) == 2


async def test_without_an_upscaler_upscale_is_the_redraw(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    old = await (await press(member, await draw(member, art), "1")).wait_answered()
    assert await bot.stop() == 0
    bot = await start_bot(UPSCALER="off", FAKE_SHOWS_ENLARGED="1")
    grid = await draw(member, art)
    single = await (await press(member, grid, "1")).wait_answered()
    labels = [b.label for b in single.buttons()]
    assert labels == ["Upscale (redraw)", "Vary", "✎ Remix", "Use as start", "⋯"]
    assert open_picture(single).size == (64, 64)
    redrawn = await (await press(member, old, "Upscale")).wait_for(has_grid)
    assert open_picture(redrawn).size == (128, 128)
    assert "×2 from picture 1 of #1" in redrawn.text()
    assert await bot.stop() == 0
    assert {recipe.upscaler for recipe in bot.recipes()} == {None}


async def test_small_pictures_are_shown_enlarged_and_made_use_of_as_they_were_drawn(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    environment = {"FAKE_SHOWS_ENLARGED": "1", "FAKE_PICTURE_CHECK": "0.1"}
    bot = await start_bot(**environment)
    grid = await draw(member, art)
    assert open_picture(grid).size == (3 * 512 + 2 * 8, 512)
    assert f"drawn at 64×64, shown ×4 by {NAME}" in grid.text()
    assert await bot.stop() == 0

    bot = await start_bot(**environment)
    single = await (await press(member, grid, "2")).wait_answered()
    assert open_picture(single).size == (256, 256)
    assert open_picture(single).text["upscaler"] == NAME
    details = await (await press(member, grid, "⋯")).wait_answered()
    assert f"drawn at 64×64, shown ×4 by {NAME}" in details.text()
    original = await (await press(member, single, "Original size")).wait_answered()
    assert original.is_ephemeral
    assert open_picture(original).size == (64, 64)
    assert "upscaler" not in open_picture(original).text
    assert open_picture(original).getpixel((0, 0)) == (8, 8, 8)

    upscaled = await (await press(member, single, "Upscale")).wait_for(has_grid)
    assert open_picture(upscaled).size == (1024, 1024)
    varied = await (await press(member, upscaled, "Vary")).wait_for(has_grid)
    assert open_picture(varied).size == open_picture(grid).size
    redrawn = await (await press(member, single, "Upscale (redraw)")).wait_for(has_grid)
    assert open_picture(redrawn).size == (512, 512), "drawn at 128, and shown enlarged as well"
    labels = [b.label for b in redrawn.buttons()]
    assert labels[:3] == ["Upscale", "Upscale (redraw)", "Original size"]
    assert await bot.stop() == 0
    first, second, third, fourth = bot.recipes()
    assert (first.size, first.upscaler, first.upscale_factor) == ((64, 64), NAME, 4)
    assert second.start == StartPicture(1, 2, 0.0, factor=16, upscaled=4)
    assert (second.size, second.upscale_factor) == ((1024, 1024), 4)
    assert (third.size, third.upscale_factor) == ((64, 64), 4)
    assert (fourth.size, fourth.upscale_factor, fourth.start) == (
        (128, 128),
        4,
        StartPicture(1, 2, 0.2, factor=2),
    )
    judged = bot.rows("SELECT panel, nsfw_score FROM picture WHERE job_id = 1")
    assert [row["panel"] for row in judged] == list(range(7))
    assert [row["nsfw_score"] for row in judged] == [None, 0.1, 0.1, 0.1, None, None, None]


async def test_hidden_pictures_are_hidden_at_either_size(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_SHOWS_ENLARGED="1", FAKE_PICTURE_CHECK="0.9")
    grid = await draw(member, art)
    assert {b.label for b in grid.buttons() if b.is_disabled} >= {"1", "2", "3"}
    for action in ("pick", "original", "upscale", "redraw"):
        assert "hidden by the filter" in await refusal(
            await forge(member, grid, f"v1:{action}:1:2")
        )
    folder = bot.data_dir / "pictures" / "1"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "grid.png",
        *(f"{n}{kind}" for n in (1, 2, 3) for kind in (".png", ".large.png")),
    }
    assert await bot.stop() == 0


@pytest.mark.parametrize("name", ["gone.safetensors", "old.pth"])
async def test_bot_does_not_start_with_a_wrong_upscaler_and_says_why(
    server: Playground, start_bot: StartBot, name: str
):
    bot = await start_bot(connected=False, UPSCALER=name)
    assert await bot.wait() != 0
    assert name in bot.log
    assert "Traceback" not in bot.log


async def test_original_of_a_picture_that_was_never_enlarged_is_the_picture(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    await start_bot()
    grid = await draw(member, art)
    assert button(grid, "1")
    shown = await (await forge(member, grid, "v1:original:1:1")).wait_answered()
    assert open_picture(shown).size == (64, 64)
