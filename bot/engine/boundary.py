"""Turns every exception in the engine thread into one of Triptych's errors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from bot.engine.api import ModelSource
from bot.errors import ConfigError, TriptychError

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


def explain_load(source: ModelSource, error: Exception) -> ConfigError:
    """Turn an error while a model was loaded into one of ours, without the owner's token."""
    reason = f"{type(error).__name__}: {error}"
    if source.hf_token:
        reason = reason.replace(source.hf_token, "***")
    return ConfigError(f"The model {source.model} could not be loaded: {reason}")
