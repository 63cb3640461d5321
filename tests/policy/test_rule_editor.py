"""New rules are tried out before they are saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import UserError
from bot.policy.reading import ReadingRoom
from tests.conftest import GUILD, House
from tests.policy.test_admission import KALE, adopt


async def test_rules_that_cannot_be_compiled_together_are_not_saved(quiet_house: House):
    with pytest.raises(UserError, match="cannot be used"):
        await adopt(quiet_house, KALE, Rule(RuleKind.PATTERN, "("))
    assert await quiet_house.services.guilds.rules.list_rules(GUILD) == []


async def test_preview_says_what_a_rule_would_have_met(quiet_house: House):
    for prompt in ("a dog", "a hot dog", "cats"):
        await quiet_house.submit(prompt)
    rule = Rule(RuleKind.WORD, "dog", Outcome.HOLD, ("hot dog",))
    preview = await quiet_house.services.guilds.rule_editor.preview(
        GUILD, rule, quiet_house.services.gate.is_sealed
    )
    assert preview.num_prompts == 3
    assert [job.recipe.prompt for job in preview.met] == ["a dog"]
    assert await quiet_house.services.guilds.rules.list_rules(GUILD) == []


async def test_what_moderators_try_out_is_read_one_by_one_between_the_prompts(
    quiet_house: House, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(5):
        await quiet_house.submit("a dog")
    run, asking, most = ReadingRoom.run, 0, 0

    async def count(room: ReadingRoom, whose: int, work: Callable[..., Any], *args: Any) -> Any:
        nonlocal asking, most
        asking, most = asking + 1, max(most, asking + 1)
        try:
            return await run(room, whose, work, *args)
        finally:
            asking -= 1

    rule = Rule(RuleKind.WORD, "dog")
    guilds, gate = quiet_house.services.guilds, quiet_house.services.gate
    monkeypatch.setattr(ReadingRoom, "run", count)
    is_sealed = quiet_house.services.gate.is_sealed
    previews = (guilds.rule_editor.preview(GUILD, rule, is_sealed) for _ in range(8))
    await asyncio.gather(*previews, *(gate.explain(GUILD, "a dog") for _ in range(8)))
    assert most == 1
