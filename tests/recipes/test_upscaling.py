"""The ask that Upscale makes, and its result if the upscaler has changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.jobs import Job, JobStatus, Origin
from bot.domain.recipes import Ask, Recipe, StartPicture
from bot.errors import UserError
from bot.recipes.derive import compose_base, compose_redraw, compose_upscale
from bot.recipes.resolve import complete_recipe, compose_recipe
from bot.recipes.validate import ParameterLimits, check_ask
from bot.texts.codes import Code
from tests.fakes.engine import INFO, SHIPPED

LIMITS = ParameterLimits(2000, 100, 1024)
SMALL = replace(INFO, shows_enlarged=True)
BY_THREE = replace(SHIPPED, name="x3", factor=3)


def make_job(side: int = 512, **changes: object) -> Job:
    recipe = Recipe("dog", seeds=(7, 8, 9), width=side, height=side, model="another model")
    recipe = replace(recipe, **changes)
    return Job(3, Origin(), recipe, JobStatus.DELIVERED, 1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("side", "upscaler", "factor"), [(256, SHIPPED, 4), (512, SHIPPED, 2), (256, BY_THREE, 3)]
)
def test_picture_becomes_as_large_as_the_bound_allows(side, upscaler, factor):
    ask = compose_upscale(make_job(side), 2, upscaler, 1024)
    check_ask(ask, LIMITS)
    assert (ask.width, ask.height, ask.seed) == (side * factor, side * factor, 8)
    assert ask.start == StartPicture(3, 2, 0.0, factor, factor)


def test_picture_that_is_large_already_is_refused():
    ask = compose_upscale(make_job(768), 1, SHIPPED, 1024)
    with pytest.raises(UserError) as caught:
        check_ask(ask, LIMITS)
    assert caught.value.reason.code is Code.SIDE_OUT_OF_RANGE


def test_strength_of_nothing_is_for_the_upscaler_alone():
    with pytest.raises(UserError):
        check_ask(Ask("dog", start=StartPicture(1, 1, 0.0)), LIMITS)


def test_upscaling_fits_any_model_and_names_the_one_that_drew():
    ask = compose_upscale(make_job(250), 1, SHIPPED, 1024)  # not a multiple of this model's step
    recipe = complete_recipe(compose_recipe(ask, 0), INFO)
    assert (recipe.model, recipe.upscaler) == ("another model", SHIPPED.name)
    assert (recipe.upscale_factor, recipe.shown_factor) == (4, 1)


@pytest.mark.parametrize("upscaler", [None, BY_THREE])
def test_change_of_the_upscaler_before_the_turn_comes_is_told(upscaler):
    recipe = compose_recipe(compose_upscale(make_job(256), 1, SHIPPED, 1024), 0)
    with pytest.raises(UserError) as caught:
        complete_recipe(recipe, replace(INFO, upscaler=upscaler))
    assert caught.value.reason.code is Code.UPSCALER_CHANGED


@pytest.mark.parametrize(("side", "factor"), [(64, 4), (128, 4), (256, 2), (512, None)])
def test_small_pictures_of_such_a_model_are_shown_enlarged(side, factor):
    info = replace(SMALL, width=side, height=side)
    recipe = complete_recipe(Recipe("dog", width=side, height=side, seeds=(1,)), info)
    name = SHIPPED.name if factor else None
    assert (recipe.upscale_factor, recipe.upscaler, recipe.width) == (factor, name, side)
    other = complete_recipe(recipe, replace(info, upscaler=None))
    assert (other.upscale_factor, other.upscaler) == (None, None), "a restart may turn it off"


def test_sizes_come_back_after_any_enlarging():
    shown = make_job(64, upscaler=SHIPPED.name, upscale_factor=4)
    upscaled = compose_recipe(compose_upscale(shown, 1, SHIPPED, 1024), 0)
    assert (upscaled.width, upscaled.start) == (1024, StartPicture(3, 1, 0.0, 16, 4))
    redrawn = compose_redraw(replace(shown, recipe=upscaled), 1)
    assert (redrawn.width, redrawn.start) == (2048, StartPicture(3, 1, 0.2, 32))
    base = compose_base(replace(shown, recipe=compose_recipe(redrawn, 0)))
    assert (base.width, base.height, base.start) == (64, 64, None)
