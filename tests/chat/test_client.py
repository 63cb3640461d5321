"""How long the bot waits before it calls on Discord again, and what it hears when closed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bot.chat import client as subject
from bot.chat.client import TriptychClient


async def list_pauses(
    monkeypatch: pytest.MonkeyPatch, stood_seconds: list[float], *, is_heard: bool = True
) -> list[float]:
    """Seconds between connections that stood so long, with frames or without, and then broke."""
    clock = 0.0
    pauses: list[float] = []
    client = TriptychClient(lambda _: cast(Any, None), lambda: 0.0)
    client._is_set_up = True
    left = iter(stood_seconds)

    async def stay_connected() -> None:
        nonlocal clock
        seconds = next(left, None)
        if seconds is None:
            await client.close()
            return
        client._heard_at = clock
        clock += seconds
        if is_heard:
            client._heard_at = clock
        raise ConnectionError("cut")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(client, "_stay_connected", stay_connected)
    monkeypatch.setattr(subject.time, "monotonic", lambda: clock)
    monkeypatch.setattr(subject.asyncio, "sleep", sleep)
    await client.serve("token")
    return pauses


async def test_pauses_grow_while_discord_stays_away(monkeypatch: pytest.MonkeyPatch):
    pauses = await list_pauses(monkeypatch, [0.1] * 8)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_pause_is_short_again_after_a_connection_that_stood(monkeypatch: pytest.MonkeyPatch):
    pauses = await list_pauses(monkeypatch, [0.1, 0.1, 0.1, 3600.0, 0.1])
    assert pauses == [1, 2, 4, 1, 2]


async def test_attempt_that_hangs_is_not_a_connection_that_stood(monkeypatch: pytest.MonkeyPatch):
    assert await list_pauses(monkeypatch, [90.0] * 4, is_heard=False) == [1, 2, 4, 8]


async def test_nobody_is_told_of_events_after_the_close():
    client = TriptychClient(lambda _: cast(Any, None), lambda: 0.0)
    await client._async_setup_hook()
    ready: list[None] = []

    async def on_ready() -> None:
        ready.append(None)

    client.on_ready = on_ready
    client.dispatch("ready")
    await asyncio.sleep(0)
    await client.close()
    client.dispatch("ready")  # as the connection's own task does, up to two seconds later
    await asyncio.sleep(0)
    assert len(ready) == 1
