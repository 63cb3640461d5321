"""Sends pictures to people who press a button, as smaller files if Discord refuses their size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from io import BytesIO
from pathlib import Path

import discord

from bot.chat.retries import explain
from bot.errors import UserError
from bot.images.render import encode_small
from bot.texts import jobs as texts
from bot.texts.codes import Code

_LAST_SIDE_PIXELS = 1024
Send = Callable[[list[discord.File]], Awaitable[object]]


async def send_pictures(
    turn: AbstractAsyncContextManager[None],
    paths: Mapping[str, Path],
    send: Send,
    *,
    alt_text: str = "",
    spoiler: bool = False,
) -> None:
    """Send these files as they are. If Discord finds them too large, send WebP, then small WebP.

    turn: a lock, which is held while files are loaded, so that few are in memory at once.

    Raises UserError if even small WebP is too large, or if the files are gone.
    """
    async with turn:
        await _send(paths, send, alt_text, spoiler)


async def _send(paths: Mapping[str, Path], send: Send, alt_text: str, spoiler: bool) -> None:
    for encode in (_as_it_is, _as_webp, _as_small_webp):
        try:
            encoded = await asyncio.to_thread(lambda encode=encode: [*map(encode, paths.values())])
        except (OSError, SyntaxError):  # Pillow raises SyntaxError for a damaged PNG
            raise UserError(texts.NO_SUCH_PICTURE()) from None
        files = [
            discord.File(
                BytesIO(data), f"{name}.{kind}", description=alt_text or None, spoiler=spoiler
            )
            for name, (kind, data) in zip(paths, encoded, strict=True)
        ]
        try:
            await send(files)
        except discord.HTTPException as error:
            if explain(error).code is not Code.FILES_TOO_LARGE:
                raise
        else:
            return
    raise UserError(texts.TOO_LARGE_TO_SHOW())


def _as_it_is(path: Path) -> tuple[str, bytes]:
    return "png", path.read_bytes()


def _as_webp(path: Path) -> tuple[str, bytes]:
    return "webp", encode_small(path).getvalue()


def _as_small_webp(path: Path) -> tuple[str, bytes]:
    return "webp", encode_small(path, _LAST_SIDE_PIXELS).getvalue()
