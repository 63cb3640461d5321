"""What is suggested while somebody types."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from discord import app_commands

from bot.errors import Explained

P = ParamSpec("P")
_Choices = list[app_commands.Choice[str]]


def or_nothing(complete: Callable[P, Awaitable[_Choices]]) -> Callable[P, Awaitable[_Choices]]:
    """Suggest nothing where there is a reason against it: nobody could read a sentence there."""

    @functools.wraps(complete)
    async def attempt(*args: P.args, **kwargs: P.kwargs) -> _Choices:
        try:
            return await complete(*args, **kwargs)
        except Explained:
            return []

    return attempt
