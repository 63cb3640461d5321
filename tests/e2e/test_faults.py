"""If answers are slow, lost or late, there is still exactly one visible result."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from playground import Message, Playground, RequestRecord, answer, delay, reset
from playground.people import FIRST_RESPONSE_SECONDS, InteractionHandle
from playground.world.world import MessageFlag
from tests.e2e.conftest import BotProcess, StartBot

CONFIG_EXIT = 2


def has_grid(message: Message) -> bool:
    return any(a.filename.endswith(".png") for a in message.attachments)


def is_callback(record: RequestRecord) -> bool:
    return record.path.endswith("/callback")


def carries_grid(record: RequestRecord) -> bool:
    return record.method == "PATCH" and bool(record.filenames)


async def test_prompt_is_acknowledged_only_after_it_is_on_record(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    with closing(sqlite3.connect(bot.data_dir / "triptych.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")  # nothing can be committed while this is open
        handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
        await asyncio.sleep(0.7)
        assert not handle.is_acknowledged
        other.rollback()
    await handle.wait_acknowledged()
    await handle.wait_for(has_grid)


async def test_acknowledgement_whose_answer_was_lost_is_one_job_that_is_delivered(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    server.fault(is_callback, reset(applied=True), times=1)
    server.fault("GET /webhooks/*", reset(), times=None)
    handle = await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await handle.wait_for(has_grid)
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["delivered"]


async def test_interaction_that_came_too_late_is_dropped_and_not_charged(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    server.fault(is_callback, answer(404, 10062, "Unknown interaction"), times=1)
    await server.person("member").slash("imagine", server.channel("art"), prompt="dog")
    await server.wait_until(lambda: server.requests("POST /interactions/*"))
    assert await bot.stop() == 0
    [row] = bot.rows()
    assert (row["status"], row["cost"]) == ("failed", 0)
    assert len(server.requests("POST /interactions/*")) == 1


async def test_answer_that_came_too_late_is_no_fault_in_the_log(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(BLOCKED_WORDS="gore")
    member, art = server.person("member"), server.channel("art")
    server.fault(is_callback, answer(404, 10062, "Unknown interaction"), times=2)
    await member.slash("imagine", art, prompt="gore")
    await member.slash("help", art)
    await server.wait_until(lambda: len(server.requests("POST /interactions/*")) == 2)
    assert await bot.stop() == 0
    assert bot.log.count("answered too late") == 2
    assert "Traceback" not in bot.log


async def test_prompt_cancelled_before_its_first_answer_leaves_no_message(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="1")
    member, art = server.person("member"), server.channel("art")
    server.fault(is_callback, delay(1.2), times=1)
    handle = await member.slash("imagine", art, prompt="dog")
    await asyncio.sleep(0.3)
    await (await member.slash("cancel", art)).wait_answered()
    await handle.wait_removed()


async def test_slow_progress_edit_never_overwrites_the_grid(
    server: Playground, start_bot: StartBot
):
    await start_bot(FAKE_STEP_SECONDS="0.2")
    art = server.channel("art")

    def is_progress(record: RequestRecord) -> bool:
        return record.method == "PATCH" and not record.filenames

    server.fault(is_progress, delay(2.5), times=1)
    handle = await server.person("member").slash("imagine", art, prompt="dog")
    await handle.wait_for(has_grid, 15)
    await asyncio.sleep(4)  # longer than the pause between two edits
    message = server.messages(art)[-1]
    assert has_grid(message)
    assert "seed" in message.text()
    assert "Drawing" not in message.text()


async def test_edit_without_an_answer_is_repeated_and_never_becomes_a_second_message(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.2")
    art = server.channel("art")
    server.fault(carries_grid, reset(), times=None)
    await server.person("member").slash("imagine", art, prompt="dog")
    async with asyncio.timeout(40):
        while "waits for Discord" not in bot.log:  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.2)
    assert server.requests("POST /channels/*") == []
    assert len(server.messages(art)) == 1


async def test_process_killed_between_the_answer_and_the_line_draws_the_prompt_later(
    server: Playground, start_bot: StartBot
):
    art = server.channel("art")
    bot = await start_bot()
    server.fault(is_callback, delay(1.0), times=1)
    handle = await server.person("member").slash("imagine", art, prompt="dog")
    await handle.wait_acknowledged()
    await bot.stop(signal.SIGKILL)
    await start_bot()
    await handle.wait_for(has_grid)
    assert len(server.messages(art)) == 1


async def test_answer_that_discord_itself_makes_private_is_no_refusal(
    server: Playground, start_bot: StartBot
):
    """Discord does this for an app of the member's own, in a server that does not let others see
    it.
    """
    art = server.channel("art")
    bot = await start_bot()
    server.fault(is_callback, delay(1.0), times=1)
    handle = await server.person("member").slash("imagine", art, prompt="dog")
    await handle.wait_acknowledged()
    await bot.stop(signal.SIGKILL)
    [message] = server.messages(art)
    private = message.flags | MessageFlag.EPHEMERAL
    message.revisions[-1] = replace(message.current, flags=private)
    await start_bot()
    await handle.wait_for(has_grid)


async def test_stop_does_not_wait_for_a_discord_that_hangs(server: Playground, start_bot: StartBot):
    bot = await start_bot(FAKE_STEP_SECONDS="0.5")
    member, art = server.person("member"), server.channel("art")
    server.fault("PATCH *", delay(40), times=None)
    for _ in range(3):
        await (await member.slash("imagine", art, prompt="dog", steps=30)).wait_acknowledged()
    await asyncio.sleep(0.5)
    started = time.monotonic()
    assert await bot.stop(within=15) == 0
    assert time.monotonic() - started < 10


async def test_token_reset_while_the_bot_runs_ends_it_with_a_sentence(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    await server.drop_gateway(4004)
    assert await bot.wait() == CONFIG_EXIT
    assert "DISCORD_TOKEN" in bot.log


async def test_refused_command_sync_leaves_the_bot_online(server: Playground, start_bot: StartBot):
    server.fault("PUT /applications/*", answer(403, 50001, "Missing Access"), times=1)
    bot = await start_bot()
    assert "could not be registered" in bot.log
    assert await bot.stop() == 0


async def test_record_that_is_locked_for_a_moment_delays_drawing_and_nothing_else(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(FAKE_STEP_SECONDS="0.2")
    member, art = server.person("member"), server.channel("art")
    first = await member.slash("imagine", art, prompt="first")
    second = await member.slash("imagine", art, prompt="second")
    await first.wait_acknowledged()
    await second.wait_acknowledged()
    async with asyncio.timeout(10):
        while {row["status"] for row in bot.rows()} != {"running", "queued"}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    [number] = [n for n, row in enumerate(bot.rows()) if row["status"] == "queued"]
    is_second = bot.recipes()[number].prompt == "second"
    waiting = second if is_second else first  # either of them may have come first
    with closing(sqlite3.connect(bot.data_dir / "triptych.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(7)  # longer than SQLite itself waits
        other.rollback()
    await waiting.wait_for(has_grid, 20)
    assert await bot.stop() == 0
    assert bot.rows()[number]["status"] == "delivered"
    assert "Traceback" not in bot.log


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_record_that_is_locked_after_the_first_answer_delays_the_prompt_and_says_so(
    server: Playground, start_bot: StartBot, *, is_restarted: bool
):
    bot = await start_bot(may_complain=True)
    art = server.channel("art")

    def execute(text: str) -> None:
        with closing(sqlite3.connect(bot.data_dir / "triptych.sqlite3")) as other:
            other.execute(text)
            other.commit()

    execute(
        "CREATE TRIGGER lock BEFORE UPDATE ON job WHEN OLD.status = 'accepted' "
        "AND NEW.status = 'queued' BEGIN SELECT RAISE(ABORT, 'database is locked'); END"
    )
    handle = await server.person("member").slash("imagine", art, prompt="dog")
    message = await handle.wait_for(lambda shown: "not in the queue yet" in shown.text(), 20)
    assert bot.rows()[0]["status"] == "accepted"
    if is_restarted:
        assert await bot.stop() == 0
    execute("DROP TRIGGER lock")
    if is_restarted:
        bot = await start_bot()
    grid = await handle.wait_for(has_grid)
    assert (grid.id, grid.content) == (message.id, "")
    assert server.messages(art) == [grid]
    assert await bot.stop() == 0
    assert bot.rows()[0]["status"] == "delivered"


@contextmanager
def lock(bot: BotProcess) -> Iterator[None]:
    """Lock the database, as a backup tool or the owner's shell does."""
    with closing(sqlite3.connect(bot.data_dir / "triptych.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


async def wait_in_time(handles: Sequence[InteractionHandle]) -> None:
    for handle in handles:
        await handle.wait_acknowledged()
        acknowledged_at = handle.interaction.acknowledged_at
        assert acknowledged_at is not None
        waited = acknowledged_at - handle.interaction.created_at
        assert waited < FIRST_RESPONSE_SECONDS, handle.interaction.data


async def test_prompts_that_could_not_be_recorded_in_time_are_not_taken_and_say_so(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    with lock(bot):
        handles = [await member.slash("imagine", art, prompt="dog") for _ in range(20)]
        await wait_in_time(handles)
        for handle in handles:
            message = await handle.wait_answered()
            assert "was not done" in message.text()
            assert message.is_ephemeral
    later = await member.slash("imagine", art, prompt="cat")
    await later.wait_for(has_grid)
    assert await bot.stop() == 0
    assert [row["status"] for row in bot.rows()] == ["delivered"]
    assert [message for message in server.messages(art) if not message.is_ephemeral] == [
        later.messages[0]
    ]


async def test_every_kind_of_input_is_answered_in_time_while_the_record_is_locked(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    member, moderator = server.person("member"), server.person("moderator")
    art, general = server.channel("art"), server.channel("general")
    grid = await (await member.slash("imagine", art, prompt="dog")).wait_for(has_grid)
    panel = await (await moderator.slash("settings", art)).wait_answered()
    await (await moderator.select(panel, "v1:settings:open.page", ["review"])).wait_acknowledged()
    number = await moderator.select(panel, "v1:settings:review.number", ["review_hours"])
    form = await number.wait_modal()
    hours = form["components"][0]["component"]["custom_id"]
    remix = await member.press(grid, "v1:remix:1:0")
    await remix.wait_modal()
    with lock(bot):
        handles = [
            await member.slash("imagine", art, prompt="dog", style="none"),
            *[await member.press(grid, f"v1:{action}:1:1") for action in ("pick", "vary")],
            *[
                await member.press(grid, f"v1:{action}:1:0")
                for action in ("reroll", "more", "remix")
            ],
            await member.submit_modal(remix, {"prompt": "cat"}),
            *[await member.slash(name, art) for name in ("queue", "cancel", "gallery", "help")],
            await member.slash("privacy export", art),
            await member.context_menu("Recipe", grid, art),
            await member.context_menu("Report picture", grid, art),
            *[await moderator.slash(name, art) for name in ("pause", "status", "settings")],
            *[await moderator.slash(name, art) for name in ("audit search", "style list")],
            await moderator.slash("rules add", art, kind="word", text="kale"),
            await moderator.slash("rules list", art),
            await moderator.slash("rules remove", art, rule="1"),
            await moderator.slash("rules test", art, prompt="dog"),
            await moderator.slash("style save", art, name="noir", after="film noir"),
            await moderator.slash("strike add", art, member=member.user, reason="spam"),
            await moderator.select(panel, "v1:settings:review.review_channel_id", [general]),
            await moderator.submit_modal(number, {hours: "7"}),
        ]
        await wait_in_time(handles)
        for handle in handles[:1]:
            assert "was not done" in (await handle.wait_answered()).text()
        await asyncio.sleep(1)
    assert await bot.stop() == 0
    assert bot.rows("SELECT * FROM setting") == []
    assert [row["status"] for row in bot.rows()] == ["delivered"]


async def test_row_that_came_after_not_taken_was_said_is_not_drawn_by_the_next_process(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    await (await member.slash("imagine", art, prompt="dog")).wait_for(has_grid)
    with lock(bot):
        handle = await member.slash("imagine", art, prompt="cat")
        said = (await handle.wait_answered()).text()
    assert await bot.stop(signal.SIGKILL) != 0
    with closing(sqlite3.connect(bot.data_dir / "triptych.sqlite3")) as record:
        record.row_factory = sqlite3.Row
        row = dict(record.execute("SELECT * FROM job").fetchone()) | {
            "job_id": 2,
            "interaction_id": handle.interaction.id,
            "token": handle.interaction.token,
            "status": "accepted",
            "message_id": None,
        }
        marks = ", ".join("?" * len(row))
        record.execute(f"INSERT INTO job ({', '.join(row)}) VALUES ({marks})", [*row.values()])
        record.commit()
    bot = await start_bot()
    assert await bot.stop() == 0
    assert (bot.rows()[1]["status"], bot.rows()[1]["cost"]) == ("failed", 0)
    assert (await handle.wait_answered()).text() == said
