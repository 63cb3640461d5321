"""Pictures in answers to presses."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from PIL import Image

from bot.chat.pictures import send_pictures
from bot.errors import UserError

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
    with pytest.raises(UserError, match="I know no picture like that"):
        await send_pictures(nullcontext(), {"1": path}, refuse)
