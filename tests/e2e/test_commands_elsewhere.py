"""Another program with the same token has cleared or changed the commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from playground import Playground
from playground.world.world import Json
from tests.e2e.conftest import StartBot, examine

PUT = "PUT /applications/*/commands"


def clear(server: Playground) -> None:
    server.world.commands.clear()


def change(server: Playground, name: str = "imagine", **fields: object) -> None:
    [command] = [each for each in server.commands if each.name == name]
    command.definition = command.definition | fields


def add(server: Playground) -> None:
    command = replace(server.commands[0], id=1, definition={"name": "ping", "description": "Ping"})
    server.world.commands[1] = command


def offered(server: Playground) -> dict[str, Json]:
    return {command.name: command.definition for command in server.commands}


async def test_commands_that_are_as_they_should_be_are_left_alone(
    server: Playground, start_bot: StartBot
):
    for _ in range(2):
        assert await (await start_bot()).stop() == 0
    assert len(server.requests(PUT)) == 1


@pytest.mark.parametrize(
    "harm", [clear, lambda server: change(server, description="Hi", options=[]), add]
)
async def test_commands_cleared_or_changed_by_another_program_come_back(
    server: Playground, start_bot: StartBot, harm: Callable[[Playground], None]
):
    assert await (await start_bot()).stop() == 0
    before = offered(server)
    harm(server)
    assert await (await start_bot()).stop() == 0
    assert offered(server) == before
    assert len(server.requests(PUT)) == 2


async def test_text_that_discord_keeps_in_other_words_is_not_sent_at_each_start(
    server: Playground, start_bot: StartBot, monkeypatch: pytest.MonkeyPatch
):
    from playground.api import commands

    told = commands.command_payload

    def tell_otherwise(*arguments: Any) -> Json:
        return told(*arguments) | {"description": "as Discord would have it"}

    monkeypatch.setattr(commands, "command_payload", tell_otherwise)
    for _ in range(2):
        assert await (await start_bot()).stop() == 0
    assert len(server.requests(PUT)) == 1
    change(server, nsfw=True)
    assert await (await start_bot()).stop() == 0
    assert len(server.requests(PUT)) == 2


async def test_command_that_is_unknown_or_changed_says_to_reload(
    server: Playground, start_bot: StartBot
):
    bot = await start_bot()
    member, art = server.person("member"), server.channel("art")
    add(server)
    [option] = [o for o in offered(server)["imagine"]["options"] if o["name"] == "prompt"]
    change(server, options=[option | {"name": "words"}])
    for name, options in (("ping", {}), ("imagine", {"words": "dog"})):
        answer = await (await member.slash(name, art, **options)).wait_answered()
        assert answer.is_ephemeral
        assert "reload Discord (Ctrl+R)" in answer.text()
    assert await bot.stop() == 0
    assert bot.rows() == []


async def test_doctor_says_how_the_commands_stand(server: Playground, start_bot: StartBot):
    async def ask() -> dict[str, str]:
        [check] = [each for each in await examine(start_bot) if each["label"] == "Discord commands"]
        assert check["ok"]
        return check

    check = await ask()
    assert check["detail"] == "none registered yet"
    assert "first start" in check["remedy"]
    await (await start_bot()).stop()
    check = await ask()
    assert (check["detail"], check["remedy"]) == (f"all {len(server.commands)} registered", "")
    change(server, "queue", description="Mine")
    check = await ask()
    assert check["detail"].endswith(": queue")
    assert "another program" in check["detail"]
    assert "Reset Token" in check["remedy"]
