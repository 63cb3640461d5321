"""The worker's side of the connection, without Ray."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from bot.cluster.worker import Worker
from bot.engine import EngineApi
from bot.errors import ConfigError


def refuse(number: int) -> EngineApi:
    raise ConfigError(f"There is no card {number}.")


async def test_stream_ends_also_if_the_end_comes_together_with_the_last_words(
    monkeypatch: pytest.MonkeyPatch,
):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers[:])  # the host adds its own
    worker = Worker(refuse, 7)
    worker._host._ended.set()  # the bot closes it at once
    stream, before = worker.receive(), set(threading.enumerate())
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)  # now everything is on its way, before anything was read
    async with asyncio.timeout(10):
        assert b"There is no card 7" in b"".join(await first)
        assert [batch async for batch in stream] == []
