"""Rules are tried before they are saved."""

from __future__ import annotations

import pytest

from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import UserError
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
