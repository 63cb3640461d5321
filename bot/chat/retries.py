"""Sends messages to Discord, and tries again if the fault may pass."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

import aiohttp
import discord

from bot.jobs.ports import NoMessage, Undeliverable, Unreachable
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

log = logging.getLogger(__name__)
T = TypeVar("T")


SEND_SECONDS = 60.0


RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


ARCHIVED = 50083
UNKNOWN_MESSAGE = 10008


_NO_FILES = {40005, 50045, 50013, 400001}  # too large (two codes), no permission, upload limit


FINAL_STATUSES = {400, 401, 403, 404, 413}
_REASONS: dict[int, Code] = {
    **dict.fromkeys((403, 50001, 50013), Code.MAY_NOT_POST),
    **dict.fromkeys((404, 10003), Code.MESSAGE_GONE),
    **dict.fromkeys((10008, 10015, 50027), Code.MESSAGE_OUT_OF_REACH),
    **dict.fromkeys((413, 40005, 50045), Code.FILES_TOO_LARGE),
    ARCHIVED: Code.THREAD_ARCHIVED,
    400001: Code.FILES_NOT_TAKEN,
}


PASSING_FAULTS = (aiohttp.ClientError, OSError, TimeoutError)


class Unwelcome(Undeliverable):
    """Discord may accept the message with other files, or with none."""


class UnknownMessage(NoMessage):
    """Discord has no such message (10008): deleted, or never posted."""


async def send_with_retry(
    what: str, send: Callable[[], Awaitable[T]], seconds: float | None = None
) -> T:
    """Send, and try again after resets and timeouts, which discord.py does not do itself.

    Raises Undeliverable or Unreachable.
    """
    fault: Exception | None = None
    for delay_seconds in (0.0, *RETRY_DELAYS_SECONDS):
        await asyncio.sleep(delay_seconds)
        try:
            async with asyncio.timeout(seconds or SEND_SECONDS):
                return await send()
        except discord.HTTPException as error:
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or error.code in _NO_FILES:
                log.info("%s: Discord did not accept its files: %s", what, error)
                raise Unwelcome(str(error), explain(error)) from error
            if error.status in FINAL_STATUSES:
                log.info("%s: Discord refused it: %s", what, error)
                raise _choose_kind(error)(str(error), explain(error)) from error
            fault = error
        except PASSING_FAULTS as error:
            fault = error
        log.info("%s: sending it failed, trying again: %r", what, fault)
    raise Unreachable(f"Discord could not be reached: {fault!r}") from fault


def _choose_kind(error: discord.HTTPException) -> type[Undeliverable]:
    if error.code == UNKNOWN_MESSAGE:
        return UnknownMessage
    return NoMessage if error.status == HTTPStatus.NOT_FOUND else Undeliverable


def explain(error: discord.HTTPException) -> Reason:
    """Tell the member why Discord will never accept it. The log has the error itself."""
    code = _REASONS.get(error.code) or _REASONS.get(error.status) or Code.DISCORD_REFUSED
    return because(code)
