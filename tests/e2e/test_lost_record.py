"""The database file is removed while the bot runs: what people see, and what the owner can do."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from playground import Message, Playground
from tests.e2e.conftest import BotProcess, StartBot
from tests.e2e.test_imagine import has_grid
from tests.e2e.test_outside import find_free_port
from tests.e2e.test_rules import say

CONFIG_EXIT = 2


async def draw(server: Playground, name: str, prompt: str) -> Message:
    handle = await server.person(name).slash("imagine", server.channel("art"), prompt=prompt)
    return await handle.wait_for(has_grid)


async def look_behind(server: Playground, name: str, grid: Message) -> str:
    """Return what the button ⋯ answers to this person."""
    handle = await server.person(name).press(grid, grid.button("⋯").custom_id or "")
    return (await handle.wait_answered()).text()


def remove_record(bot: BotProcess) -> None:
    for path in bot.data_dir.glob("triptych.sqlite3*"):
        path.unlink()


def find_set_aside(bot: BotProcess) -> list[Path]:
    return list(bot.data_dir.glob("replaced-*.pictures/1/grid.png"))


async def test_record_removed_under_the_bot_is_noticed_saved_and_restored(
    server: Playground, start_bot: StartBot
):
    port = find_free_port()
    bot = await start_bot(MONITOR_PORT=str(port), FAKE_STEP_SECONDS="0.05")
    grid = await draw(server, "member", "dog")
    art = server.channel("art")
    under_way = await server.person("newcomer").slash("imagine", art, prompt="cat", steps=60)
    await under_way.wait_for(lambda message: "Drawing" in message.text())
    remove_record(bot)
    refused = await say(server.person("member"), "imagine", art, prompt="owl")
    assert "removed or replaced Triptych's database" in refused
    assert "Nothing was drawn or charged" in refused
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.get("/healthz") as response,
    ):
        assert response.status == 503
        assert "the database file is gone" in (await response.json())["faults"]
    cat = await under_way.wait_for(has_grid)
    assert await bot.stop() == 0
    assert "is saved in" in bot.log

    stopped = await start_bot(connected=False)
    assert await stopped.wait() == CONFIG_EXIT
    assert "triptych restore" in stopped.log and "run --new" in stopped.log
    restored = await start_bot(connected=False, arguments=("restore",))
    assert await restored.wait() == 0, restored.log
    await start_bot()
    assert "dog" in await look_behind(server, "newcomer", grid)
    assert "cat" in await look_behind(server, "member", cat)


async def test_after_a_new_beginning_no_old_button_shows_a_strangers_recipe(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    grid = await draw(server, "member", "dog")
    assert await bot.stop() == 0
    remove_record(bot)
    for _ in range(2):
        refused = await start_bot(connected=False)
        assert await refused.wait() == CONFIG_EXIT
    await start_bot(arguments=("run", "--new"))
    new = await draw(server, "newcomer", "a secret")
    assert "I do not know that picture" in await look_behind(server, "member", grid)
    assert "a secret" in await look_behind(server, "member", new)
    assert len(find_set_aside(bot)) == 1
