"""Sends to Discord, and sends again when the fault may pass."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

import aiohttp
import discord

from bot.jobs.ports import NoMessage, Undeliverable, Unreachable

log = logging.getLogger(__name__)
T = TypeVar("T")


SEND_SECONDS = 60.0


RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


ARCHIVED = 50083


_NO_FILES = {40005, 50045, 50013, 400001}  # too large, twice; no permission; uploads limited


FINAL_STATUSES = {400, 401, 403, 404, 413}
_REASONS = {
    **dict.fromkeys((403, 50001, 50013), "Triptych may not post there"),
    **dict.fromkeys((404, 10003), "the channel or the message is gone"),
    **dict.fromkeys((10008, 10015, 50027), "the message is out of reach"),
    **dict.fromkeys((413, 40005, 50045), "the files are too large for that channel"),
    ARCHIVED: "the thread is archived and locked",
    400001: "Discord takes no files there at the moment",
}


PASSING_FAULTS = (aiohttp.ClientError, OSError, TimeoutError)


class Unwelcome(Undeliverable):
    """The message might be taken with other files, or with none."""


async def send_with_retry(
    what: str, send: Callable[[], Awaitable[T]], seconds: float | None = None
) -> T:
    """discord.py retries neither resets nor timeouts. Raises Undeliverable, or Unreachable."""
    fault: Exception | None = None
    for delay_seconds in (0.0, *RETRY_DELAYS_SECONDS):
        await asyncio.sleep(delay_seconds)
        try:
            async with asyncio.timeout(seconds or SEND_SECONDS):
                return await send()
        except discord.HTTPException as error:
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or error.code in _NO_FILES:
                log.info("%s: Discord did not take its files: %s", what, error)
                raise Unwelcome(explain(error)) from error
            if error.status in FINAL_STATUSES:
                log.info("%s: Discord refused it: %s", what, error)
                is_gone = error.status == HTTPStatus.NOT_FOUND
                raise (NoMessage if is_gone else Undeliverable)(explain(error)) from error
            fault = error
        except PASSING_FAULTS as error:
            fault = error
        log.info("%s: Discord did not take it, trying again: %r", what, fault)
    raise Unreachable(f"Discord could not be reached: {fault!r}") from fault


def explain(error: discord.HTTPException) -> str:
    """Why Discord will never take it, in a few words for the member; the log has the error."""
    return _REASONS.get(error.code) or _REASONS.get(error.status) or "Discord refused it"
