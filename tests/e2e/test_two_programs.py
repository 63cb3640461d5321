"""Two processes with one token and two data folders, and cases that only look like this."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from playground import Fault, Message, Playground, RequestRecord, answer, reset
from tests.e2e.conftest import StartBot

WARNING = "Another program with this bot's token"


def has_grid(message: Message) -> bool:
    return bool(message.attachments)


def is_callback(record: RequestRecord) -> bool:
    return record.path.endswith("/callback")


async def test_prompt_that_two_programs_get_is_drawn_and_charged_once(
    server: Playground, start_bot: StartBot, tmp_path: Path
):
    bots = [await start_bot(DATA_DIR=str(tmp_path / name)) for name in ("one", "two")]
    await server.wait_until(lambda: len(server.gateway.sessions) == 2)
    member, art = server.person("member"), server.channel("art")
    handles = [await member.slash("imagine", art, prompt=f"dog {n}") for n in range(3)]
    for handle in handles:
        await handle.wait_for(has_grid)
    for bot in bots:
        assert await bot.stop() == 0
    assert len(server.messages(art)) == 3
    pairs = list(zip(*(bot.rows() for bot in bots), strict=True))
    for pair in pairs:
        lost, won = sorted(pair, key=lambda row: row["status"] == "delivered")
        assert (won["status"], won["reason_code"]) == ("delivered", "")
        assert (lost["status"], lost["cost"]) == ("failed", 0)
        assert (lost["reason_code"], lost["attempt"]) == ("answered_elsewhere", 0)
    log = "".join(bot.log for bot in bots)
    assert log.count(WARNING) == 3
    assert "Reset Token" in log


async def test_other_first_answers_of_another_program_warn_as_well(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(BLOCKED_WORDS="gore")
    member, art = server.person("member"), server.channel("art")
    server.fault(is_callback, answer(400, 40060), times=None)
    for name, options in (
        ("help", {}),
        ("queue", {}),
        ("cancel", {}),
        ("imagine", {"prompt": "gore"}),
    ):
        await member.slash(name, art, **options)
    await server.wait_until(lambda: len(server.requests("POST /interactions/*")) == 4)
    assert await bot.stop() == 0
    assert bot.log.count(WARNING) == 4


@pytest.mark.parametrize("fault", [reset(applied=True), answer(502, applied=True)])
async def test_own_answer_that_was_lost_is_no_other_program(
    server: Playground, start_bot: StartBot, fault: Fault
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    server.fault(is_callback, fault, times=1)
    handle = await member.slash("imagine", art, prompt="dog")
    await handle.wait_for(has_grid)
    assert await bot.stop() == 0
    assert "40060" in str([record.code for record in server.requests("POST /interactions/*")])
    assert WARNING not in bot.log
    assert bot.rows()[0]["status"] == "delivered"


async def test_answer_that_was_lost_before_a_fault_gets_its_sentence(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(may_complain=True)
    server.fault(is_callback, answer(502, applied=True), times=1)
    handle = await server.person("member").slash("cancel", server.channel("art"))
    message = await handle.wait_for(lambda shown: "went wrong on our side" in shown.text())
    assert message.is_ephemeral
    assert WARNING not in bot.log


async def test_press_that_discord_sends_twice_is_no_other_program(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot(may_complain=True)
    handle = await server.person("member").slash("help", server.channel("art"))
    await handle.wait_answered()
    server.redeliver(handle)
    await server.wait_until(lambda: len(server.requests("POST /interactions/*")) == 2)
    await asyncio.sleep(0.2)
    assert await bot.stop() == 0
    assert WARNING not in bot.log
