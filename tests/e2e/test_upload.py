"""/imagine with a picture: it is fetched only from Discord, judged, and drawn from."""

from __future__ import annotations

import asyncio
import signal
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import psutil
import pytest
from PIL import Image

from bot.domain.recipes import StartPicture
from playground import Playground, Upload, answer
from tests.bombs import repeat_scan
from tests.e2e.conftest import BotProcess, StartBot, say_of
from tests.e2e.gallery import draw, has_grid, open_picture, press, refusal
from tests.images.test_uploads import compose_gif, compose_png, compose_text_bomb


def make_upload(colour: str = "white", size: tuple[int, int] = (100, 60)) -> Upload:
    buffer = BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return Upload("mine.png", buffer.getvalue())


def compose_zip_bomb() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("picture.png", bytes(200_000_000))
    return buffer.getvalue()


async def test_upload_is_drawn_from_and_a_restart_keeps_it(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    grid = await draw(member, art, image=make_upload(), strength=0.4, seed="0")
    tile = open_picture(grid).getpixel((5, 5))
    assert tile == (153, 153, 153)  # 0.6 × 255: a mixture with the white upload
    assert "a picture that the member sent, strength 0.4" in grid.text()
    assert await bot.stop() == 0

    bot = await start_bot()
    again = await (await press(member, grid, "↻")).wait_for(has_grid)
    assert all(value >= 153 for value in open_picture(again).getpixel((5, 5)))
    assert await bot.stop() == 0
    first, rerolled = bot.recipes()
    assert (first.start, rerolled.start) == (StartPicture(0, 0, 0.4), StartPicture(1, 0, 0.4))


UNUSABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "text": (lambda: b"just text", "not a picture"),
    "cut": (lambda: make_upload().content[:80], "damaged"),
    "too wide": (lambda: make_upload(size=(16_400, 10)).content, "too many pixels"),
    "too large": (lambda: compose_png(40_000, 40_000), "too many pixels"),
    "text bomb": (compose_text_bomb, "damaged"),
    "zip bomb": (compose_zip_bomb, "not a picture"),
    "moving": (lambda: compose_gif(1, 2), "not a picture"),
}


@pytest.mark.parametrize(("compose", "reason"), UNUSABLE.values(), ids=UNUSABLE)
async def test_unusable_upload_is_refused_privately_and_costs_nothing(
    server: Playground, start_bot: StartBot, compose: Callable[[], bytes], reason: str
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    handle = await member.slash("imagine", art, prompt="dog", image=Upload("a.png", compose()))
    message = await handle.wait_answered()
    assert reason in message.text()
    assert server.messages(art) == [message]
    assert message.is_ephemeral
    assert await bot.stop() == 0
    [row] = bot.rows()
    assert (row["status"], row["cost"]) == ("refused", 0)
    [entry] = bot.rows("SELECT * FROM audit")
    assert (entry["action"], entry["job_id"]) == ("upload_refused", row["job_id"])
    assert (entry["member_id"], entry["prompt"]) == (member.id, "dog")
    assert reason in say_of(entry)
    assert not list((bot.data_dir / "pictures").glob("*"))


async def test_refused_upload_whose_message_may_not_be_deleted_says_so_in_it(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    art = server.channel("art")
    server.fault("DELETE *", answer(403, 50013, "Missing Permissions"), times=None)
    handle = await server.person("member").slash(
        "imagine", art, prompt="dog", image=Upload("a.png", b"just text")
    )
    message = await handle.wait_answered()
    assert "not a picture" in message.text()
    assert server.messages(art) == [message]
    assert not message.is_ephemeral


async def test_flagged_upload_is_not_used(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_PICTURE_CHECK="0.9")
    handle = await member.slash("imagine", art, prompt="dog", image=make_upload())
    assert "flagged the picture you sent" in (await handle.wait_answered()).text()
    assert await bot.stop() == 0
    assert bot.rows()[0]["status"] == "refused"
    assert not list((bot.data_dir / "pictures").glob("*"))


async def test_upload_that_cannot_be_judged_is_not_used(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    await start_bot(FAKE_PICTURE_CHECK="crash", may_complain=True)
    handle = await member.slash("imagine", art, prompt="dog", image=make_upload())
    assert "does not work at present" in (await handle.wait_answered()).text()


async def test_file_that_discord_does_not_hand_over_is_a_sentence(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    server.fault("GET /ephemeral-attachments/*", answer(404))
    handle = await member.slash("imagine", art, prompt="dog", image=make_upload())
    assert "send it again" in (await handle.wait_answered()).text()
    assert bot.rows()[0]["status"] == "refused"
    assert bot.rows("SELECT * FROM audit") == []  # nobody decided about the member


async def test_nothing_is_fetched_from_another_host(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    callers: list[asyncio.StreamWriter] = []
    stranger = await asyncio.start_server(lambda _, writer: callers.append(writer), "127.0.0.1", 0)
    port = stranger.sockets[0].getsockname()[1]
    server.backend.cdn.base_url = f"http://127.0.0.1:{port}"
    handle = await member.slash("imagine", art, prompt="dog", image=make_upload())
    assert "send it again" in (await handle.wait_answered()).text()
    stranger.close()
    assert callers == []
    assert await bot.stop() == 0


async def test_strength_needs_a_picture_and_sense(server: Playground, start_bot: StartBot):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    handles = [
        await member.slash("imagine", art, prompt="dog", strength=0.5),
        await member.slash("imagine", art, prompt="dog", image=make_upload(), strength=0.0),
        await member.slash("imagine", art, prompt="dog", image=make_upload(), strength=1.5),
    ]
    for handle in handles:
        assert (await refusal(handle)).startswith("Strength ")
    assert {row["status"] for row in bot.rows()} == {"refused"}


@pytest.fixture(scope="module")
def bomb() -> Upload:
    return Upload("holiday.jpg", repeat_scan(4000))


async def test_pictures_that_take_too_long_to_open_stop_nobody_elsewhere(
    server: Playground, start_bot: StartBot, bomb: Upload
):
    art = server.channel("art")
    member, moderator = server.person("member"), server.person("moderator")
    newcomer, owner = server.person("newcomer"), server.person("owner")
    bot = await start_bot()
    handles = [
        await person.slash("imagine", channel, prompt="dog", image=bomb)
        for _ in range(3)
        for person, channel in ((member, art), (moderator, moderator.direct_channel))
    ]
    await until_opening(bot)
    await draw(newcomer, art)
    await draw(owner, owner.direct_channel, image=make_upload())
    for handle in handles:
        assert "takes too long to open" in (await handle.wait_answered(30)).text()
    assert await bot.stop() == 0
    assert [row["cost"] for row in bot.rows() if row["status"] == "refused"] == [0] * 6
    assert len(list((bot.data_dir / "pictures").glob("*.start.png"))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_stop_while_pictures_are_opened_leaves_no_process_and_the_next_start_says_it(
    server: Playground, start_bot: StartBot, bomb: Upload, number: signal.Signals
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot()
    handles = [
        await member.slash("imagine", channel, prompt="dog", image=bomb)
        for channel in (art, member.direct_channel) * 3
    ]
    opening = await until_opening(bot)
    assert await bot.stop(number) == (0 if number == signal.SIGTERM else -number)
    _, alive = await asyncio.to_thread(psutil.wait_procs, opening, 10)
    assert alive == []
    await start_bot()
    told = [(await each.wait_for(lambda m: "please" in m.text())).text() for each in handles]
    assert any("before it had looked at the picture you sent" in text for text in told)


async def until_opening(bot: BotProcess) -> list[psutil.Process]:
    """Wait until two processes of the bot have allocated the pixels of a picture."""
    while True:
        opening = psutil.Process(bot.process.pid).children()
        with suppress(psutil.NoSuchProcess):
            if sum(each.memory_info().rss > 80 * 2**20 for each in opening) == 2:
                return opening
        await asyncio.sleep(0.05)
