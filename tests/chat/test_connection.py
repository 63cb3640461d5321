"""When a connection counts as dead, and how long the bot waits before it connects again."""

from __future__ import annotations

import asyncio

import discord
import pytest

from bot.chat import connection
from bot.chat.connection import Connection


class HungClient(discord.Client):
    """A client whose connection is open, but nothing comes over it."""

    was_cut = False

    async def connect(self, *, reconnect: bool = True) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.was_cut = True


async def test_connection_that_says_nothing_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "GATEWAY_SILENCE_SECONDS", 0.01)
    client = HungClient(intents=discord.Intents.none())
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionError, match="the gateway was silent"):
            await Connection(client)._stay_connected()
    assert client.was_cut
    await client.close()


async def list_pauses(
    monkeypatch: pytest.MonkeyPatch, stood_seconds: list[float], *, is_heard: bool = True
) -> list[float]:
    """List the pauses between connections that were open for some time, with or without frames."""
    clock = 0.0
    pauses: list[float] = []
    client = discord.Client(intents=discord.Intents.none())
    kept = Connection(client)
    kept._is_logged_in = True
    left = iter(stood_seconds)

    async def stay_connected() -> None:
        nonlocal clock
        seconds = next(left, None)
        if seconds is None:
            await client.close()
            return
        kept._heard_at = clock
        clock += seconds
        if is_heard:
            kept._heard_at = clock
        raise ConnectionError("cut")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(kept, "_stay_connected", stay_connected)
    monkeypatch.setattr(connection.time, "monotonic", lambda: clock)
    monkeypatch.setattr(connection.asyncio, "sleep", sleep)
    await kept.serve("token")
    return pauses


async def test_pauses_grow_while_discord_stays_away(monkeypatch: pytest.MonkeyPatch):
    pauses = await list_pauses(monkeypatch, [0.1] * 8)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_pause_is_short_again_after_a_connection_that_stood(monkeypatch: pytest.MonkeyPatch):
    pauses = await list_pauses(monkeypatch, [0.1, 0.1, 0.1, 3600.0, 0.1])
    assert pauses == [1, 2, 4, 1, 2]


async def test_attempt_that_hangs_is_not_a_connection_that_stood(monkeypatch: pytest.MonkeyPatch):
    assert await list_pauses(monkeypatch, [90.0] * 4, is_heard=False) == [1, 2, 4, 8]
