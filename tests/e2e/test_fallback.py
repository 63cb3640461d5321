"""If the grid cannot be posted: a smaller file, then single pictures, and finally words."""

from __future__ import annotations

from playground import Playground, answer
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import draw, limit_files, make_noise, press


async def test_files_that_are_too_large_are_posted_smaller_then_singly_then_in_words(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    png = len((await draw(member, art)).attachments[0].content)

    sizes = []
    limit = png - 1
    for _ in range(3):
        member.user.attachment_size_limit = limit
        server.world.guilds[art.guild_id or 0].attachment_size_limit = limit
        handle = await member.slash("imagine", art, prompt="dog", seed="7")
        message = await handle.wait_for(lambda m: len(m.buttons()) > 1, 20)
        sizes.append([len(a.content) for a in message.attachments])
        assert all(a.description for a in message.attachments)
        limit = max(sizes[-1], default=1) - 1
    assert [len(each) for each in sizes] == [1, 3, 0]
    assert "too large" in message.text()
    assert await bot.stop() == 0
    assert {row["status"] for row in bot.rows()} == {"delivered"}


async def test_where_attachments_are_forbidden_meanwhile_words_are_posted(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.3")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog")
    await handle.wait_for(lambda m: "step" in m.text())

    forbidden = answer(403, 50013, "Missing Permissions")
    server.fault(
        lambda record: record.method == "PATCH" and bool(record.filenames), forbidden, times=None
    )
    message = await handle.wait_for(lambda m: len(m.buttons()) > 1, 20)
    assert "I may not attach files" in message.text()
    assert not message.attachments
    server.faults.clear()
    single = await (await press(member, message, "2")).wait_answered()
    assert single.attachments


async def test_single_picture_that_is_too_large_is_shown_as_a_smaller_file(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    member, art = server.person("member"), server.channel("art")
    grid = await draw(member, art, image=make_noise(), strength=0.1)
    whole = await (await press(member, grid, "1")).wait_answered()
    limit = len(whole.attachments[0].content) - 1
    limit_files(server, member, art, limit)
    single = await (await press(member, grid, "1")).wait_answered()
    [picture] = single.attachments
    assert picture.filename.endswith(".webp")
    assert picture.description
    assert len(picture.content) <= limit
    assert "Upscale" in {button.label for button in single.buttons()}
    limit_files(server, member, art, 10)
    single = await (await press(member, grid, "1")).wait_answered()
    assert "not even as a smaller file. Nothing was lost" in single.text()
