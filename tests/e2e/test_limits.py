"""One person repeats something again and again, through the playground."""

from __future__ import annotations

from playground import Playground
from tests.e2e.conftest import StartBot


async def test_who_is_too_fast_hears_so_and_others_do_not_notice(
    server: Playground, start_bot: StartBot
):
    await start_bot(MAX_ACTIONS_PER_MEMBER_PER_MINUTE="3")
    member, art = server.person("member"), server.channel("art")
    for _ in range(3):
        assert "Triptych" in (await (await member.slash("help", art)).wait_answered()).text()
    for handle in (
        await member.slash("queue", art),
        await member.slash("imagine", art, prompt="dog"),
    ):
        message = await handle.wait_answered()
        assert message.is_ephemeral
        assert "faster than it can answer" in message.text()
        assert "Nothing was changed or charged" in message.text()
    for typed in ("", "d", "dd"):
        assert await member.autocomplete("imagine", art, "sampler", typed) != []
    assert await member.autocomplete("imagine", art, "sampler", "") == []
    other = await server.person("moderator").slash("help", art)
    assert "faster" not in (await other.wait_answered()).text()


async def test_buttons_and_forms_count_as_well(server: Playground, start_bot: StartBot):
    await start_bot(MAX_ACTIONS_PER_MEMBER_PER_MINUTE="3")
    moderator, art = server.person("moderator"), server.channel("art")
    panel = await (await moderator.slash("settings", art)).wait_answered()
    for page in ("review", "people"):
        opened = await moderator.select(panel, "v1:settings:open.page", [page])
        await opened.wait_acknowledged()
    fast = await moderator.select(panel, "v1:settings:open.page", ["review"])
    assert "faster than" in (await fast.wait_for(lambda said: "faster" in said.text())).text()


async def test_forms_that_are_sent_too_fast_are_answered(server: Playground, start_bot: StartBot):
    await start_bot(MAX_ACTIONS_PER_MEMBER_PER_MINUTE="2")
    member, art = server.person("member"), server.channel("art")
    grid = await (await member.slash("imagine", art, prompt="dog")).wait_for(
        lambda message: bool(message.attachments)
    )
    remix = await member.press(grid, "v1:remix:1:0")
    await remix.wait_modal()
    sent = await member.submit_modal(remix, {"prompt": "cat"})
    assert "faster than" in (await sent.wait_answered()).text()


async def test_export_is_made_so_often_an_hour(server: Playground, start_bot: StartBot):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    await (await member.slash("imagine", art, prompt="dog")).wait_for(
        lambda message: bool(message.attachments)
    )
    for _ in range(4):
        message = await (await member.slash("privacy export", art)).wait_answered()
        assert [file.filename for file in message.attachments] == ["triptych-my-data.json"]
    message = await (await member.slash("privacy export", art)).wait_answered()
    assert "several times within an hour" in message.text()
    assert await bot.stop() == 0
    assert len(bot.rows("SELECT * FROM audit WHERE action = 'data_exported'")) == 4


async def test_prompts_after_too_many_refused_are_answered_and_not_read(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(MAX_REFUSED_PER_MEMBER_PER_HOUR="8", BLOCKED_WORDS="kale")
    member, art = server.person("member"), server.channel("art")
    for expected in ("do not allow", "do not allow", "did not read", "did not read"):
        message = await (await member.slash("imagine", art, prompt="kale")).wait_answered()
        assert message.is_ephemeral
        assert expected in message.text()
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["refused"] * 2
