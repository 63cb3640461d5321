"""Triptych's own styles leave room for a prompt, and do not change the member's words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tokenizers import Tokenizer

from bot.domain.recipes import Ask, Style
from bot.ops.resources import get_starter_model_folder
from bot.recipes.derive import compose_again, compose_variation
from bot.recipes.resolve import compose_recipe
from bot.recipes.styles import STARTERS
from tests.conftest import GUILD, House
from tests.views.test_jobs import make_job

MOST = 20  # of the 75 tokens that a prompt may have: 77 minus two markers


@pytest.mark.parametrize("style", STARTERS, ids=lambda style: style.name)
def test_starter_styles_take_a_quarter_of_the_tokens_at_most(style: Style):
    """Counted in tokens of the starter model, which has the smallest vocabulary."""
    path = get_starter_model_folder() / "tokenizer" / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    text = " ".join((style.before, style.after))
    assert len(tokenizer.encode(text, add_special_tokens=False).ids) <= MOST


async def test_own_words_stay_apart_from_the_style_and_come_back_with_every_way_to_draw_again(
    quiet_house: House,
):
    styles = quiet_house.services.guilds.styles
    ask = await styles.apply(Ask("dog  in leaves"), "ink", GUILD)
    job = await quiet_house.submit(ask.prompt, own_words=ask.own_words)
    assert job.recipe.prompt == "an ink drawing of dog in leaves, black lines on white paper"
    assert job.recipe.typed_prompt == "dog in leaves"
    for again in (compose_again(job), compose_variation(job, 1)):
        assert compose_recipe(again, 1).typed_prompt == "dog in leaves"


def test_words_that_the_rules_have_not_judged_are_never_shown_for_a_prompt():
    ask = Ask("an ink drawing of wolf", own_words="dog")
    assert compose_recipe(ask, 1).typed_prompt == "an ink drawing of wolf"
    job = make_job(recipe=replace(make_job().recipe, own_words="dog"))
    assert compose_recipe(replace(compose_again(job), prompt="cat"), 1).typed_prompt == "cat"
