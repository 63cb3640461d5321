"""A message that a moderator deleted is not posted again, and its prompt ends."""

from __future__ import annotations

import asyncio

from playground import InteractionHandle, Message, Playground, answer, reset
from tests.e2e.conftest import BotProcess, StartBot

FIFTEEN_MINUTES = 15 * 60 + 1
SAID = "The message of your prompt was deleted"


def has_grid(message: Message) -> bool:
    return any(a.filename.endswith(".png") for a in message.attachments)


def is_told(message: Message) -> bool:
    return message.is_ephemeral and SAID in message.text()


async def expect_dropped(bot: BotProcess, least: float = 0.0, most: float = 1.0) -> None:
    """least, most: the bounds for the share of the steps that was drawn and charged."""
    assert await bot.stop() == 0
    row = bot.rows()[-1]
    assert row["status"] == "cancelled"
    assert least <= row["cost"] / row["cost_estimate"] <= most
    assert (row["reason_code"], row["end_notified"]) == ("message_deleted", 1)
    assert not [*(bot.data_dir / "pictures").glob(f"{row['job_id']}/*")]


async def test_message_deleted_while_its_prompt_waits_ends_it_undrawn(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.2", FAKE_MAX_JOBS="1")
    member, art = server.person("member"), server.channel("art")
    first = await member.slash("imagine", art, prompt="dog", steps=30)
    await first.wait_acknowledged()  # so that the other job's row is the last
    handle = await member.slash("imagine", art, prompt="cat", steps=100)
    await server.person("moderator").delete(await handle.wait_answered())
    message = await handle.wait_for(is_told, 20)
    assert message.text().endswith("> cat")
    await first.wait_for(has_grid, 20)
    assert [m for m in server.messages(art) if not m.is_ephemeral] == first.messages
    assert server.requests("POST /channels/*") == []
    await expect_dropped(bot, most=0.25)  # the bot notices at its next edit, when drawing begins


async def test_message_deleted_while_it_is_drawn_stops_the_drawing(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", steps=100)  # 50 s
    first = await handle.wait_for(lambda message: "step" in message.text())
    await server.person("moderator").delete(first)
    await handle.wait_for(is_told)
    assert server.requests("POST /channels/*") == []
    await expect_dropped(bot, least=0.01, most=0.5)


async def drop_at_delivery(server: Playground) -> InteractionHandle:
    """Delete the message after the first edit and before the second one, which is the grid."""
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", steps=2)
    await server.person("moderator").delete(await handle.wait_answered())
    return handle


async def test_message_deleted_before_the_grid_is_posted_is_not_posted_again(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    handle = await drop_at_delivery(server)
    await handle.wait_for(is_told)
    assert not any(has_grid(message) for message in server.messages(server.channel("art")))
    assert server.requests("POST /channels/*") == []
    await expect_dropped(bot, least=0.99)


async def test_member_is_told_by_direct_message_after_the_token_has_expired(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    await drop_at_delivery(server)
    server.clock.advance(FIFTEEN_MINUTES)
    direct = server.person("member").direct_channel
    [told] = await server.wait_until(lambda: server.messages(direct), 10)
    assert SAID in told.text()
    await expect_dropped(bot)


async def test_member_who_takes_no_answer_there_is_told_by_direct_message(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    server.fault("POST /webhooks/*", answer(404, 10008), times=None)
    await drop_at_delivery(server)
    direct = server.person("member").direct_channel
    [told] = await server.wait_until(lambda: server.messages(direct), 10)
    assert SAID in told.text()
    await expect_dropped(bot)


async def test_message_deleted_while_triptych_was_away_ends_its_prompt(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="1")
    handle = await server.person("member").slash(
        "imagine", server.channel("art"), prompt="dog", steps=50
    )
    first = await handle.wait_for(lambda message: "step" in message.text())
    assert await bot.stop() == 0
    await server.person("moderator").delete(first)
    bot = await start_bot(FAKE_STEP_SECONDS="0.1")
    await handle.wait_for(is_told)
    await expect_dropped(bot)


async def test_first_answer_that_never_arrived_is_no_deleted_message(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    art = server.channel("art")
    server.fault(lambda record: record.path.endswith("/callback"), reset(), times=None)
    server.fault("PATCH /webhooks/*", answer(404, 10008), times=None)
    await server.person("member").slash("imagine", art, prompt="dog")
    [grid] = await server.wait_until(lambda: server.messages(art), 20)
    await asyncio.sleep(0.2)
    assert has_grid(grid)
    assert await bot.stop() == 0
    assert bot.rows()[0]["status"] == "delivered"
