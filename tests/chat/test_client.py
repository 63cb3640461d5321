"""What the bot hears of its connection, and what it hears when it is closed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from bot.chat.client import TriptychClient


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


async def test_every_frame_ends_the_silence():
    client = TriptychClient(lambda _: cast(Any, None), lambda: 0.0)
    await client._async_setup_hook()
    client.connection._heard_at -= 100.0
    client.dispatch("socket_raw_receive", "{}")
    await asyncio.sleep(0)
    assert client.connection.silent_seconds < 100.0
    await client.close()
