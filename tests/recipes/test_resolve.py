"""The checks of a recipe when the model is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.recipes import Ask, StartPicture
from bot.errors import UserError
from bot.recipes.resolve import complete_recipe, compose_recipe
from bot.texts.codes import Code
from tests.fakes.engine import INFO


@pytest.mark.parametrize("size", [(128, 128), (64, 256), (256, 80)])
def test_picture_of_four_times_the_models_area_is_refused(size: tuple[int, int]) -> None:
    recipe = compose_recipe(Ask("a dog", width=size[0], height=size[1]), 0)
    with pytest.raises(UserError) as caught:
        complete_recipe(recipe, INFO)
    assert caught.value.reason.code is Code.AREA_NOT_OF_MODEL
    assert f"{size[0]}x{size[1]} is too large for the model fake model" in str(caught.value)


def test_smaller_pictures_and_enlarged_ones_are_not() -> None:
    recipe = compose_recipe(Ask("a dog", width=128, height=120), 0)
    assert complete_recipe(recipe, INFO).size == (128, 120)
    start = StartPicture(1, 0, 0.2, factor=2)
    enlarged = replace(recipe, width=128, height=128, start=start)
    assert complete_recipe(enlarged, INFO).is_enlarged
