"""docs/reliability.md lists everything that people can send, and what it may cost."""

from __future__ import annotations

import re
from pathlib import Path

import discord
import pytest
from discord import app_commands

from bot.chat.client import TriptychClient
from tests.conftest import House

ROOT = Path(__file__).resolve().parents[2]
_TITLE = "## What people can send"


def list_rows() -> list[tuple[set[str], list[str]]]:
    """List for each row of the table its inputs and its other cells."""
    text = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    section = text.partition(_TITLE)[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [(set(re.findall(r"`([^`]+)`", first)), rest) for first, *rest in lines]


def list_inputs(client: TriptychClient) -> set[str]:
    """List the commands, options with suggestions or files, buttons, forms, panels and events."""
    found = {f"button {name}" for name in client.button_actions}
    found |= {f"form {name}" for name in client.forms}
    found |= {f"panel {name}" for name in client.panel_actions}
    found |= {
        f"event {name.removeprefix('on_')}"
        for name in vars(TriptychClient)
        if name.startswith("on_")
    }
    found |= set(client.extra_events)
    kinds = (discord.AppCommandType.message, discord.AppCommandType.user)
    found |= {menu.name for kind in kinds for menu in client.tree.get_commands(type=kind)}
    for command in client.tree.walk_commands():
        if not isinstance(command, app_commands.Command):
            continue
        found.add(f"/{command.qualified_name}")
        for option in command.parameters:
            if option.autocomplete or option.type is discord.AppCommandOptionType.attachment:
                found.add(f"/{command.qualified_name} {option.name}")
    return found


async def test_table_has_a_row_for_everything_that_can_be_sent(quiet_house: House):
    client = TriptychClient(lambda _: quiet_house.services, lambda: 0.0)
    await client._async_setup_hook()
    await client.load_commands()
    inputs = list_inputs(client)
    await client.close()
    rows = list_rows()
    named = [name for names, _ in rows for name in names]
    assert set(named) == inputs
    assert len(named) == len(inputs), "an input has two rows"
    assert len(inputs) > 60


@pytest.mark.parametrize("row", list_rows(), ids=lambda row: min(row[0]))
def test_every_row_says_what_it_costs_and_by_what_it_is_bounded(row: tuple[set[str], list[str]]):
    cost, bound = (cell.strip() for cell in row[1][:2])
    assert len(cost) > 5
    assert bound
