"""Buttons in threads that are open, archived meanwhile, archived long ago, or locked."""

from __future__ import annotations

import pytest

from playground import Channel, Playground, add_thread, answer, reset
from tests.e2e.conftest import StartBot
from tests.e2e.gallery import draw, has_grid, press, refusal


@pytest.fixture
def thread(server: Playground) -> Channel:
    return add_thread(server.world, server.channel("art"), "a thread")


async def test_press_in_a_thread_and_in_one_that_was_archived_after_a_restart(
    server: Playground, start_bot: StartBot, thread: Channel
):
    member = server.person("member")
    bot = await start_bot()
    grid = await draw(member, thread)
    assert await bot.stop() == 0

    await start_bot()
    await (await press(member, grid, "↻")).wait_for(has_grid)
    for label in ("1", "⋯"):
        thread.is_archived = True
        assert (await (await press(member, grid, label)).wait_answered()).is_ephemeral
        assert thread.is_archived, "what one person sees alone does not wake it"
    await (await press(member, grid, "Vary 2")).wait_for(has_grid)
    assert not thread.is_archived


async def test_pictures_for_a_thread_that_is_archived_meanwhile_wake_it(
    server: Playground, start_bot: StartBot, thread: Channel
):
    member = server.person("member")
    bot = await start_bot(FAKE_STEP_SECONDS="0.2")
    grid = await draw(member, thread)
    await (await press(member, grid, "Vary 1")).wait_acknowledged()
    before = len(server.messages(thread))
    thread.is_archived = True
    await server.wait_until(lambda: len(server.messages(thread)) > before, 20)
    message = server.messages(thread)[-1]
    assert has_grid(message)
    assert f"<@{member.id}>" in message.text()
    assert not thread.is_archived
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["delivered", "delivered"]


async def test_press_in_a_locked_thread_is_answered_alone_and_costs_nothing(
    server: Playground, start_bot: StartBot, thread: Channel
):
    member = server.person("member")
    bot = await start_bot()
    grid = await draw(member, thread)
    thread.is_archived = thread.is_locked = True
    for label in ("↻", "Vary 1"):
        assert "archived and locked" in await refusal(await press(member, grid, label))
    single = await (await press(member, grid, "3")).wait_answered()
    assert single.is_ephemeral
    assert has_grid(single)
    assert [m for m in server.messages(thread) if not m.is_ephemeral] == [grid]
    assert await bot.stop() == 0
    rows = bot.rows()[1:]
    assert [(row["status"], row["cost"]) for row in rows] == [("failed", 0)] * 2


async def test_pictures_for_a_thread_that_is_locked_meanwhile_are_kept_and_their_member_told(
    server: Playground, start_bot: StartBot, thread: Channel
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_STEP_SECONDS="0.2")
    grid = await draw(member, thread)
    await (await press(member, grid, "Vary 1")).wait_acknowledged()
    thread.is_archived = thread.is_locked = True
    server.fault("POST /webhooks/*", answer(401, 50027, "Invalid Webhook Token"), times=None)
    to_member = f"POST /channels/{member.direct_channel.id}/messages"
    # Discord accepts the message, but the bot gets no answer
    server.fault(to_member, reset(applied=True), times=1)
    await server.wait_until(lambda: len(server.requests(to_member)) == 2, 20)
    [told] = server.messages(member.direct_channel)
    for part in (
        "could not be posted",
        "The thread is archived and locked.",
        "/gallery",
        "nothing was charged",
        "dog",
    ):
        assert part in told.text()
    shown = await (await member.slash("gallery", art)).wait_answered()
    assert len(shown.attachments) == 2
    assert await bot.stop() == 0
    row = bot.rows()[1]
    assert (row["status"], row["cost"], row["end_notified"]) == ("undeliverable", 0, 1)
    assert list((bot.data_dir / "pictures" / "2").iterdir())
