"""Pictures in answers to people who press buttons."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from PIL import Image

from bot.chat.pictures import send_pictures
from bot.errors import UserError
from bot.ops.workers import Turns

TOO_LARGE = 40005


async def refuse(files: list[discord.File]) -> None:
    response = cast(Any, SimpleNamespace(status=413, reason="Payload Too Large"))
    raise discord.HTTPException(response, {"code": TOO_LARGE, "message": "too large"})


async def test_picture_that_is_too_large_and_damaged_is_a_sentence(tmp_path: Path):
    path = tmp_path / "1.png"
    Image.effect_noise((400, 400), 60).save(path)
    data = bytearray(path.read_bytes())
    second = data.index(b"IDAT", data.index(b"IDAT") + 4)
    data[second : second + 4] = b"\0\0\0\0"
    path.write_bytes(data)
    with Image.open(path) as image, pytest.raises(SyntaxError):
        image.load()
    with pytest.raises(UserError, match="I do not know that picture"):
        await send_pictures(nullcontext(), {"1": path}, refuse)


async def test_one_answer_of_a_person_is_in_memory_at_a_time(tmp_path: Path):
    path, turns, sending = tmp_path / "1.png", Turns(8), []
    Image.new("RGB", (4, 4)).save(path)
    may_go = asyncio.Event()

    async def send(files: list[discord.File]) -> None:
        sending.append(len(files))
        await may_go.wait()

    works = [send_pictures(turns.hold(who), {"1": path}, send) for who in (1, 1, 1, 2)]
    tasks = [asyncio.create_task(work) for work in works]
    async with asyncio.timeout(5):
        while len(sending) < 2:  # noqa: ASYNC110 - files are read in threads
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert sending == [1, 1]
    may_go.set()
    await asyncio.gather(*tasks)
    assert len(sending) == 4
