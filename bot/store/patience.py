"""Limits how long a member waits for the database: Discord wants an answer within 3 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from bot.errors import StoreError, Unconfirmed
from bot.texts.codes import Code
from bot.texts.faults import UNCONFIRMED
from bot.texts.reasons import because


@dataclass(frozen=True, slots=True)
class _Hurry:
    until: float  # the deadline, by the event loop's clock
    is_answered: Callable[[], bool]


LOCKED_SECONDS = 5.0  # how long most callers wait while another program writes

_HURRY: ContextVar[_Hurry | None] = ContextVar("hurry", default=None)
_OUTLASTED: ContextVar[float | None] = ContextVar("outlasted", default=None)


def hurry(seconds: float, is_answered: Callable[[], bool]) -> None:
    """Limit how long this task, and tasks that it starts, wait for the database.

    The limit ends when the member has an answer.
    """
    until = asyncio.get_running_loop().time() + seconds
    _HURRY.set(_Hurry(until, is_answered))


def take_time() -> None:
    """Remove the limit for this task, because no member waits for a first answer any more."""
    _HURRY.set(None)


def outlast(seconds: float) -> None:
    """Let this task wait this long while another program writes, so that its work is not lost."""
    _OUTLASTED.set(seconds)


def get_locked_seconds() -> float:
    """Return how long this task waits while another program writes."""
    return _OUTLASTED.get() or LOCKED_SECONDS


@asynccontextmanager
async def in_time(*, is_written: bool = False) -> AsyncIterator[None]:
    """Apply the limit to this block. Raises StoreError if the time is over. is_written: the change
    may still be saved later, so Unconfirmed is raised instead.
    """
    present = _HURRY.get()
    if present is None or present.is_answered():
        yield
        return
    try:
        if asyncio.get_running_loop().time() >= present.until:
            raise TimeoutError
        async with asyncio.timeout_at(present.until):
            yield
    except TimeoutError:
        if is_written:
            raise Unconfirmed(UNCONFIRMED()) from None
        raise StoreError(because(Code.TOO_BUSY)) from None
