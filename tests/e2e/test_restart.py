"""After stops, crashes, expired tokens and lost gateways, every accepted prompt is answered."""

from __future__ import annotations

import asyncio
import signal

from playground import Message, Playground, answer, reset
from tests.e2e.conftest import StartBot

FIFTEEN_MINUTES = 15 * 60 + 1


def has_grid(message: Message) -> bool:
    return any(a.filename.endswith(".png") for a in message.attachments)


async def test_waiting_jobs_survive_a_restart_and_are_delivered_once(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    handles = [await member.slash("imagine", art, prompt="long", steps=60)]
    await handles[0].wait_for(lambda message: "step" in message.text())
    for person in (member, other, member):
        handles.append(await person.slash("imagine", art, prompt="waits"))
    for handle in handles:
        await handle.wait_answered()
    assert await bot.stop(within=10) == 0
    assert {row["status"] for row in bot.rows()} == {"queued"}

    bot = await start_bot()
    for handle in handles:
        await handle.wait_for(has_grid)
    assert len(server.messages(art)) == len(handles)
    assert await bot.stop() == 0
    assert {row["status"] for row in bot.rows()} == {"delivered"}


async def test_killed_process_leaves_nothing_behind_that_is_not_finished_later(
    server: Playground, start_bot: StartBot
):
    member, art = server.person("member"), server.channel("art")
    bot = await start_bot(FAKE_STEP_SECONDS="0.3")
    handles = [await member.slash("imagine", art, prompt=f"dog {n}", steps=20) for n in range(3)]
    await handles[0].wait_for(lambda message: "step" in message.text())
    assert await bot.stop(signal.SIGKILL) == -signal.SIGKILL

    bot = await start_bot()
    for handle in handles:
        await handle.wait_for(has_grid)
    assert len(server.messages(art)) == 3
    assert await bot.stop() == 0
    rows = bot.rows()
    assert {row["status"] for row in rows} == {"delivered"}
    assert sorted(row["attempt"] for row in rows) == [1, 1, 2]


async def test_stop_in_the_middle_of_a_drawing_is_not_counted_as_an_attempt(
    server: Playground, start_bot: StartBot
):
    handle = None
    for _ in range(3):
        bot = await start_bot(FAKE_STEP_SECONDS="1")
        if handle is None:
            handle = await server.person("member").slash(
                "imagine", server.channel("art"), prompt="dog", steps=50
            )
            await handle.wait_acknowledged()
        async with asyncio.timeout(10):
            while "begins" not in bot.log:  # noqa: ASYNC110 - a file of another process
                await asyncio.sleep(0.1)
        assert await bot.stop() == 0
        assert [(row["status"], row["attempt"]) for row in bot.rows()] == [("queued", 0)]


async def test_second_signal_ends_the_process_at_once_without_loss(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="5")
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_answered()
    bot.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert await bot.stop(within=4) != 0  # less than a step
    await start_bot()
    await handle.wait_for(has_grid)


async def test_prompt_during_the_drain_is_refused_kindly(server: Playground, start_bot: StartBot):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    member, art = server.person("member"), server.channel("art")
    running = await member.slash("imagine", art, prompt="dog", steps=8)
    await running.wait_answered()
    bot.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    refused = await (await member.slash("imagine", art, prompt="late")).wait_answered()
    assert refused.is_ephemeral
    assert "about to restart" in refused.text()
    await running.wait_for(has_grid)
    assert await bot.wait(10) == 0


async def test_grid_reaches_its_message_after_the_token_has_expired(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", steps=8)
    first = await handle.wait_answered()
    server.clock.advance(FIFTEEN_MINUTES)
    message = await handle.wait_for(has_grid)
    assert message.id == first.id
    assert len(server.messages(art)) == 1
    assert [record.code for record in server.requests("PATCH /webhooks/*")][-1] == 50027
    assert server.requests(f"PATCH /channels/{art.id}/messages/{first.id}")[-1].status == 200
    assert await bot.stop() == 0
    assert bot.rows()[0]["status"] == "delivered"


async def test_message_that_may_not_be_edited_is_replaced_by_a_new_one_that_names_the_author(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.5")
    member, art = server.person("member"), server.channel("art")
    handle = await member.slash("imagine", art, prompt="dog", steps=8)
    first = await handle.wait_answered()
    server.fault("PATCH *", answer(403, 50001, "Missing Access"), times=None)
    to_channel = f"POST /channels/{art.id}/messages"
    # Discord accepts the message, but the bot gets no answer
    server.fault(to_channel, reset(applied=True), times=1)
    await server.wait_until(lambda: len(server.requests(to_channel)) == 2, 20)
    message = server.messages(art)[-1]
    assert has_grid(message)
    assert message.id != first.id
    lost, sent = server.requests(to_channel)
    assert (lost.body["nonce"], lost.body["enforce_nonce"]) == ("job-1", True)
    assert (sent.body["nonce"], sent.body["enforce_nonce"]) == ("job-1", True)
    assert sent.body["allowed_mentions"]["users"] == [member.id]
    assert f"<@{member.id}>" in message.text()


async def test_job_that_nobody_can_be_shown_is_undeliverable_and_refunded(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    art = server.channel("art")
    handle = await server.person("member").slash("imagine", art, prompt="dog")
    await handle.wait_answered()
    server.fault("* /webhooks/*", answer(401, 50027, "Invalid Webhook Token"), times=None)
    server.fault("PATCH /channels/*", answer(403, 50001, "Missing Access"), times=None)
    server.fault("POST /channels/*", answer(403, 50001, "Missing Access"), times=None)
    sent = "POST /channels/*"
    await server.wait_until(lambda: len(server.requests(sent)) == 2, 10)
    assert await bot.stop() == 0
    paths = [record.path for record in server.requests(sent)]
    member = server.person("member").direct_channel
    assert paths == [f"/channels/{art.id}/messages", f"/channels/{member.id}/messages"], (
        "403 is never tried again"
    )
    [row] = bot.rows()
    assert (row["status"], row["cost"]) == ("undeliverable", 0)
    assert list((bot.data_dir / "pictures" / "1").iterdir())


async def test_delivery_outlives_resets_and_server_errors_with_one_message(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    art = server.channel("art")

    def carries_grid(record):
        return record.method == "PATCH" and bool(record.filenames)

    server.fault(carries_grid, reset(), times=1)
    server.fault(carries_grid, answer(502, applied=True), times=1, skip=1)
    server.fault(carries_grid, reset(applied=True), times=1, skip=2)
    handle = await server.person("member").slash("imagine", art, prompt="dog")
    await handle.wait_for(has_grid, 20)
    await asyncio.sleep(3)
    assert len(server.messages(art)) == 1


async def test_delivery_waits_while_discord_is_away_and_posts_once_it_is_back(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.3")
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_answered()
    server.fault("PATCH *", reset(), times=None)
    server.fault("POST /channels/*", reset(), times=None)
    async with asyncio.timeout(40):
        while "waits for Discord" not in bot.log:  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.2)
    server.faults.clear()
    assert await bot.stop() == 0
    assert bot.rows()[0]["status"] == "rendered"
    bot = await start_bot()
    await handle.wait_for(has_grid)
    assert len(server.messages(server.channel("art"))) == 1


async def test_interaction_missed_during_a_gateway_drop_is_answered_after_the_resume(
    server: Playground, start_bot: StartBot
):
    await start_bot()
    await server.drop_gateway(4000)
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_for(has_grid, 20)


async def test_bot_waits_for_discord_when_it_is_away_at_the_start(
    server: Playground, start_bot: StartBot
):
    server.fault("GET /users/@me", reset(), times=None)
    server.fault("PUT /applications/*", answer(500), times=6)
    bot = await start_bot(connected=False)
    async with asyncio.timeout(20):
        while "trying again" not in bot.log:  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.1)
    server.faults.clear()
    await server.wait_connected(20)
    assert "Unclosed" not in bot.log
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_for(has_grid)


async def test_commands_are_synced_once_and_not_again_after_a_restart(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    assert await bot.stop() == 0
    bot = await start_bot()
    assert await bot.stop() == 0
    assert len(server.requests("PUT /applications/*/commands")) == 1


async def test_lost_device_ends_with_75_and_its_neighbours_are_drawn_after_the_restart(
    server: Playground, start_bot: StartBot
):
    member, other, art = server.person("member"), server.person("newcomer"), server.channel("art")
    bot = await start_bot(FAKE_FLAW="lost", FAKE_STEP_SECONDS="0.2")
    poison = await member.slash("imagine", art, prompt="poison")
    dog = await other.slash("imagine", art, prompt="dog")
    await dog.wait_answered()
    assert await bot.wait() == 75
    bot = await start_bot(FAKE_FLAW="lost", FAKE_STEP_SECONDS="0.2")
    assert await bot.wait() == 75, "the second and last attempt"
    await poison.wait_for(lambda message: "Sorry" in message.text())
    bot = await start_bot(FAKE_FLAW="lost")
    await dog.wait_for(has_grid)
    assert await bot.stop() == 0
