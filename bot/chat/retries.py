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


# https://discord.com/developers/docs/topics/opcodes-and-status-codes#json-json-error-codes
_TOO_LARGE = {413, 40005, 50045}
# These mean: explicit files, too many files, an invalid file, too many uploads.
_BAD_FILES = {20009, 30015, 50046, 400001}
# 50013 means a missing permission, perhaps only the permission to attach files.
_NO_FILES = {50013, *_TOO_LARGE, *_BAD_FILES}
# These mean: AutoMod refused the text, AutoMod refused the title, the text has a harmful link.
_NO_TEXT = {200000, 200001, 240000}
_THREAD_LOCKED = {ARCHIVED, 160005}
_MAY_NOT_POST = {403, 50001, 50005, 50008, 50009, 50013, 50024}
_GONE = {404, 410, 10003, 10004}
_OUT_OF_REACH = {10008, 10015, 10062, 50027}


# The first four mean: slow mode, two limits on writing, too many edits of an old message.
# The next three mean: direct messages opened too fast, sending or a feature is switched off.
# The last two mean: a limited service, an overloaded service.
_PASSING_CODES = {20016, 20028, 20029, 30046, 40003, 40004, 40006, 40062, 130000}
FINAL_STATUSES = {400, 401, 403, *range(404, 500)} - {408, 425, 429}
_REASONS: dict[int, Code] = {
    **dict.fromkeys(_MAY_NOT_POST, Code.MAY_NOT_POST),
    **dict.fromkeys(_GONE, Code.MESSAGE_GONE),
    **dict.fromkeys(_OUT_OF_REACH, Code.MESSAGE_OUT_OF_REACH),
    **dict.fromkeys(_TOO_LARGE, Code.FILES_TOO_LARGE),
    **dict.fromkeys(_BAD_FILES, Code.FILES_NOT_TAKEN),
    **dict.fromkeys(_THREAD_LOCKED, Code.THREAD_ARCHIVED),
    **dict.fromkeys(_NO_TEXT, Code.TEXT_NOT_TAKEN),
}


PASSING_FAULTS = (aiohttp.ClientError, OSError, TimeoutError)


class Unwelcome(Undeliverable):
    """Discord refused the files. It may accept the message with other files, or without files."""


class TextRefused(Undeliverable):
    """Discord or a server's AutoMod refused the words of the message, but may accept others."""


class UnknownMessage(NoMessage):
    """Discord has no such message (10008): it was deleted, or never posted."""


async def send_with_retry(
    what: str, send: Callable[[], Awaitable[T]], seconds: float | None = None
) -> T:
    """Send. Also try again after resets and timeouts, because discord.py does not.

    Raises Undeliverable or Unreachable.
    """
    fault: Exception | None = None
    for delay_seconds in (0.0, *RETRY_DELAYS_SECONDS):
        await asyncio.sleep(delay_seconds)
        try:
            async with asyncio.timeout(seconds or SEND_SECONDS):
                return await send()
        except discord.HTTPException as error:
            if is_final(error):
                log.info("%s: Discord refused this message: %s", what, error)
                raise choose_kind(error)(str(error), explain(error)) from error
            fault = error
        except PASSING_FAULTS as error:
            fault = error
        log.info("%s: sending failed, trying again: %r", what, fault)
    raise Unreachable(f"Discord could not be reached: {fault!r}") from fault


def is_final(error: discord.HTTPException) -> bool:
    """Return whether a retry is useless, because Discord would refuse the request again."""
    return error.status in FINAL_STATUSES and error.code not in _PASSING_CODES


def choose_kind(error: discord.HTTPException) -> type[Undeliverable]:
    """Choose the kind of error to raise when Discord will never accept a request."""
    if error.code in _NO_TEXT:
        return TextRefused
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or error.code in _NO_FILES:
        return Unwelcome
    if error.code == UNKNOWN_MESSAGE:
        return UnknownMessage
    return NoMessage if error.status == HTTPStatus.NOT_FOUND else Undeliverable


def explain(error: discord.HTTPException) -> Reason:
    """Return a reason, for the member to read, why Discord will never accept the message."""
    code = _REASONS.get(error.code) or _REASONS.get(error.status) or Code.DISCORD_REFUSED
    return because(code)
