"""The engine thread's one boundary: what goes wrong inside becomes an error that can be booked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from bot.errors import TriptychError

logger = logging.getLogger(__name__)
T = TypeVar("T")


def attempt(
    label: str, work: Callable[[], T], explain: Callable[[Exception], TriptychError]
) -> T | TriptychError:
    """Return what ``work`` returns or the error it ended with.

    The error carries no traceback, which would keep the tensors of its frames alive.
    """
    try:
        return work()
    except TriptychError as error:
        return error.with_traceback(None)
    except Exception as error:
        logger.exception("%s went wrong", label)
        return explain(error)
