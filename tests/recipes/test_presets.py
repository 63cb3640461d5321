from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.jobs import Origin, Source
from bot.domain.recipes import Ask
from bot.engine.api import ModelInfo
from bot.errors import UserError
from bot.ops.resources import get_migrations_folder
from bot.recipes.presets import PRESETS
from bot.recipes.resolve import complete_recipe, compose_recipe
from bot.recipes.validate import ParameterLimits, check_ask
from bot.store import Database, JobRepository
from bot.texts import commands
from tests.fakes.engine import INFO

LIMITS = ParameterLimits(100, 100, 1024)


def make_info() -> ModelInfo:
    return replace(INFO, samplers=("ddim", "dpmpp_2m_karras"), num_inference_steps=50)


def test_default_is_the_models_own_sampler_and_steps_guided_throughout() -> None:
    recipe = complete_recipe(compose_recipe(Ask("dog"), 1), make_info())
    assert (recipe.preset, recipe.sampler, recipe.num_inference_steps) == ("quality", "ddim", 50)
    assert recipe.guidance_until == 1.0


def test_fast_brings_its_sampler_steps_and_guidance() -> None:
    recipe = complete_recipe(compose_recipe(Ask("dog", preset="fast"), 1), make_info())
    assert (recipe.sampler, recipe.num_inference_steps) == ("dpmpp_2m_karras", 20)
    assert recipe.guidance_until == 0.6
    assert recipe.guidance == "3 for 60 % of the steps"


def test_what_was_typed_goes_before_the_preset() -> None:
    ask = Ask("dog", preset="fast", num_inference_steps=7, sampler="ddim")
    recipe = complete_recipe(compose_recipe(ask, 1), make_info())
    assert (recipe.num_inference_steps, recipe.sampler, recipe.guidance_until) == (7, "ddim", 0.6)


def test_model_that_draws_in_a_few_steps_keeps_to_them_whatever_the_preset() -> None:
    info = replace(make_info(), is_distilled=True, num_inference_steps=4, guidance_scale=1.0)
    recipe = complete_recipe(compose_recipe(Ask("dog", preset="fast"), 1), info)
    assert (recipe.sampler, recipe.num_inference_steps) == ("ddim", 4)
    assert (recipe.preset, recipe.guidance_until) == ("fast", 1.0)
    typed = Ask("dog", preset="fast", num_inference_steps=7)
    assert complete_recipe(compose_recipe(typed, 1), info).num_inference_steps == 7


def test_preset_whose_sampler_the_model_cannot_use_draws_with_the_models_own() -> None:
    recipe = complete_recipe(compose_recipe(Ask("dog", preset="fast"), 1), INFO)
    assert (recipe.sampler, recipe.num_inference_steps) == ("ddim", 20)


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"no such preset\. Choose one of: quality, fast"):
        check_ask(Ask("dog", preset="best"), LIMITS)


def test_every_preset_says_what_it_is_in_one_of_discords_choices() -> None:
    assert commands.PRESETS.keys() == PRESETS.keys()
    for name, text in commands.PRESETS.items():
        assert text.english.startswith(f"{name}: ")
        assert len(text.english) <= 100


async def test_preset_is_kept_with_the_job(tmp_path: Path) -> None:
    database = await Database.open(tmp_path, get_migrations_folder())
    try:
        jobs = JobRepository(database)
        recipe = compose_recipe(Ask("dog", preset="fast"), 1)
        job = await jobs.insert_job(
            Origin(source=Source.TERMINAL), recipe, now=0.0, cost_estimate=1.0
        )
        assert job is not None
        kept = await jobs.fetch_job(job.job_id)
        assert kept is not None
        assert (kept.recipe.preset, kept.recipe.guidance_until) == ("fast", 0.6)
    finally:
        await database.close()
