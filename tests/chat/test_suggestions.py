"""Suggestions while somebody types."""

from __future__ import annotations

import pytest
from discord import app_commands

from bot.chat.suggestions import or_nothing
from bot.errors import StoreError, UserError
from bot.texts.codes import Code
from bot.texts.reasons import because


@pytest.mark.parametrize("kind", [UserError, StoreError])
async def test_reason_against_suggestions_is_none_and_a_bug_is_still_seen(
    kind: type[UserError] | type[StoreError],
):
    @or_nothing
    async def complete(typed: str) -> list[app_commands.Choice[str]]:
        if typed == "bug":
            raise ZeroDivisionError
        if typed == "busy":
            raise kind(because(Code.TOO_BUSY))
        return [app_commands.Choice(name=typed, value=typed)]

    assert [choice.name for choice in await complete("dog")] == ["dog"]
    assert await complete("busy") == []
    with pytest.raises(ZeroDivisionError):
        await complete("bug")
