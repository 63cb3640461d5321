"""Suggests values for a command's options while a member types."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from discord import app_commands

from bot.errors import Explained

P = ParamSpec("P")
_Choices = Coroutine[Any, Any, list[app_commands.Choice[str]]]


def or_nothing(complete: Callable[P, _Choices]) -> Callable[P, _Choices]:
    """Return no suggestions after an error, because a list of suggestions cannot show it."""

    @functools.wraps(complete)
    async def attempt(*args: P.args, **kwargs: P.kwargs) -> list[app_commands.Choice[str]]:
        try:
            return await complete(*args, **kwargs)
        except Explained:
            return []

    return attempt
