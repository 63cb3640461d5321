"""If the bot cannot start, it says at once why."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from playground import Playground
from tests.e2e.conftest import StartBot, examine

CONFIG_EXIT = 2


async def test_missing_token_is_explained(start_bot: StartBot):
    bot = await start_bot(connected=False, DISCORD_TOKEN="")
    assert await bot.wait() == CONFIG_EXIT
    assert "DISCORD_TOKEN is not set" in bot.log


async def test_port_of_the_monitor_that_is_taken_is_explained(start_bot: StartBot):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        bot = await start_bot(connected=False, MONITOR_PORT=str(port))
        assert await bot.wait() == CONFIG_EXIT
    assert f"MONITOR_PORT {port} cannot be opened" in bot.log


async def test_wrong_token_is_explained_and_not_printed(start_bot: StartBot):
    bot = await start_bot(connected=False, DISCORD_TOKEN="a-wrong-secret")
    assert await bot.wait() == CONFIG_EXIT
    assert "does not accept DISCORD_TOKEN" in bot.log
    assert "a-wrong-secret" not in bot.log


async def test_model_that_does_not_load_ends_the_bot_with_its_sentence(start_bot: StartBot):
    bot = await start_bot(connected=False, FAKE_LOAD_ERROR="The model is gated: accept its card.")
    assert await bot.wait() == CONFIG_EXIT
    assert "The model is gated" in bot.log


async def test_second_process_on_the_same_data_is_turned_away_naming_the_first(
    server: Playground, start_bot: StartBot
):
    first = await start_bot()
    second = await start_bot(connected=False)
    assert await second.wait() == CONFIG_EXIT
    assert f"pid {first.process.pid}" in second.log


async def test_all_wrong_settings_are_listed_at_once(start_bot: StartBot):
    bot = await start_bot(
        connected=False, DEVICE="tpu", MAX_WAITING="many", DISCORD_API_BASE="http://example.com/"
    )
    assert await bot.wait() == CONFIG_EXIT
    for name in ("DEVICE", "MAX_WAITING", "DISCORD_API_BASE"):
        assert name in bot.log


async def test_doctor_with_a_token_names_the_application_and_the_invite_link(
    server: Playground, start_bot: StartBot
):
    checks = await examine(start_bot)
    assert [check["label"] for check in checks if not check["ok"]] == ["Model"]
    details = {check["label"]: check["detail"] for check in checks}
    application_id = server.world.bot.id
    assert f"client_id={application_id}" in details["Discord invite"]
    assert "scope=bot+applications.commands" in details["Discord invite"]
    assert "permissions=274877942784" in details["Discord invite"]
    assert "privileged" in details["Discord intents"]


async def test_doctor_with_a_wrong_token_says_what_to_do_and_does_not_print_it(
    start_bot: StartBot,
):
    checks = await examine(start_bot, DISCORD_TOKEN="a-wrong-secret")
    model, fault = [check for check in checks if not check["ok"]]
    assert (model["label"], fault["label"]) == ("Model", "Discord token")
    assert "Reset Token" in fault["remedy"]
    assert "a-wrong-secret" not in json.dumps(checks)


async def test_data_dir_that_cannot_be_used_is_explained(start_bot: StartBot, tmp_path: Path):
    (tmp_path / "file").write_text("")
    bot = await start_bot(connected=False, DATA_DIR=str(tmp_path / "file" / "data"))
    assert await bot.wait() == CONFIG_EXIT
    assert "DATA_DIR" in bot.log
