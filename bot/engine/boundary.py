"""Turns every exception in the engine thread into one of Triptych's errors."""

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
    """Call ``work`` and return its result or its error.

    The error has no traceback, because that would keep the tensors of its frames alive.
    """
    try:
        return work()
    except TriptychError as error:
        return error.with_traceback(None)
    except Exception as error:
        logger.exception("%s went wrong", label)
        return explain(error)
