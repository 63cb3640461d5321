"""Editing by instruction: which model does it, what is refused, and what is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.jobs import Job, JobStatus
from bot.domain.recipes import Ask, StartPicture
from bot.moderation.classes import REAL_PEOPLE
from bot.recipes.derive import (
    compose_again,
    compose_base,
    compose_edit,
    compose_redraw,
    compose_variation,
    fit_shape,
)
from tests.conftest import GUILD, House, OpenHouse
from tests.fakes.engine import INFO, FakeEngine
from tests.jobs.test_ancestry import SENT, Sender, draw, refuse
from tests.jobs.test_intake import refusal_of
from tests.jobs.test_model_choice import FILE, open_models

EDITED = StartPicture(0, 0, 1.0, edited=True)
EDITOR = replace(INFO, edits=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """MODELS_FILE with three models."""
    path = tmp_path / "models.toml"
    path.write_text(FILE)
    return path


async def send(house: House, instruction: str, **ask: object) -> Job:
    job = await house.submit(instruction, caller=Sender(), start=EDITED, upload=SENT, **ask)
    return await house.until_status(job, JobStatus.DELIVERED)


async def test_whole_chain_behind_an_edit_is_judged(open_house: OpenHouse):
    async with open_house(FakeEngine(info=EDITOR)) as house:
        await house.start()
        sent = await send(house, "make it winter")
        again = await draw(house, "add snow", compose_edit(sent, 2, "").start)
        varied = await draw(house, "oil", compose_variation(again, 1).start)
        for job in (sent, again, varied):
            for words in ("strip", "naked tree", "let all of her long red skirt vanish"):
                told = await refuse(house, compose_edit(job, 1, words), REAL_PEOPLE)
                assert "people send" in told
        for ask in (compose_again(sent), compose_base(sent), compose_variation(sent, 1)):
            await refuse(house, replace(ask, prompt="naked tree"), REAL_PEOPLE)
        drawn = await draw(house, "a tree")
        await draw(house, "naked tree", compose_edit(drawn, 1, "").start)
        nude = await draw(house, "nude statue")
        await refuse(house, compose_edit(nude, 1, "make her Emma Smith"), REAL_PEOPLE)


async def test_model_gets_the_picture_and_all_steps(open_house: OpenHouse):
    async with open_house(FakeEngine(info=EDITOR)) as house:
        await house.start()
        drawn = await draw(house, "dog", seed=100)
        edited = await draw(house, "make it winter", compose_edit(drawn, 2, "").start)
        request = house.engine.drawn[-1]
        assert request.image is not None
        assert {*request.image.ravel()} == {101}
        assert (request.recipe.strength, request.recipe.num_inference_steps) == (1.0, 4)
        again = await house.services.intake.submit(compose_again(edited), house.origin(), Sender())
        assert again is not None
        assert again.recipe.start == edited.recipe.start
        larger = compose_redraw(edited, 1).start
        assert larger is not None
        assert not larger.edited


async def test_model_that_cannot_edit_is_refused(open_house: OpenHouse):
    async with open_house() as house:
        await house.start()
        told = await refusal_of(house, "make it winter", start=EDITED, upload=SENT)
        assert "No model that you can use here can edit pictures" in told


async def test_job_for_a_model_that_turns_out_not_to_edit_is_refused_before_it_is_drawn(
    open_house: OpenHouse,
):
    async with open_house() as house:
        job = await house.submit("make it winter", caller=Sender(), start=EDITED, upload=SENT)
        assert job.status is JobStatus.QUEUED
        await house.start()
        await house.until_status(job, JobStatus.REFUSED)
        assert house.engine.drawn == []


async def test_editing_model_is_chosen_before_the_default(open_house: OpenHouse, path: Path):
    async with open_models(open_house, path) as (house, engines):
        for name in ("swift", "club"):
            engines.of[name].info = replace(engines.of[name].info, edits=True)
        await house.start()
        await house.until(lambda: len(engines.pool.list_models()) == 4)
        assert (await send(house, "make it winter")).recipe.model == "swift"
        told = await refusal_of(house, "make it winter", start=EDITED, upload=SENT, model="classic")
        assert "The model classic cannot edit pictures. Choose one of: Swift flow." in told
        told = await refusal_of(house, "make it winter", start=EDITED, upload=SENT, model="club")
        assert "You cannot use a model of that name here" in told
        await house.services.settings.put(GUILD, "default_model", "club")
        assert (await send(house, "make it winter")).recipe.model == "swift"


async def test_model_that_only_edits_draws_no_prompts(open_house: OpenHouse, path: Path):
    async with open_models(open_house, path) as (house, engines):
        own = engines.of["classic"]
        own.info = replace(own.info, edits=True, only_edits=True)
        await house.start()
        await house.until(lambda: len(engines.pool.list_models()) == 4)
        told = await refusal_of(house, "dog", model="classic")
        assert "`/edit`. To draw from a prompt, choose one of: Swift flow." in told
        drawn = await draw(house, "dog")
        assert drawn.recipe.model == "swift"
        edited = await send(house, "make it winter", model="classic")
        again = await house.services.intake.submit(compose_again(edited), house.origin(), Sender())
        varied = compose_variation(edited, 1)
        other = await house.services.intake.submit(varied, house.origin(), Sender())
        assert again is not None
        assert other is not None
        assert (again.recipe.model, other.recipe.model) == ("classic", "swift")


async def test_prompt_is_refused_if_every_model_only_edits(open_house: OpenHouse):
    async with open_house(FakeEngine(info=replace(EDITOR, only_edits=True))) as house:
        waiting = await house.submit("dog")
        await house.start()
        await house.until_status(waiting, JobStatus.REFUSED)
        told = await refusal_of(house, "dog")
        assert "only changes pictures, with `/edit`; it cannot draw from a prompt." in told
        await send(house, "make it winter")
        assert len(house.engine.drawn) == 1


def test_size_is_the_one_of_the_model_that_is_most_like_the_picture():
    info = replace(INFO, width=1024, height=1024, sizes=((832, 1216), (1152, 896), (1344, 768)))
    for size, fitting in (
        ((4000, 3000), (1152, 896)),
        ((1920, 1080), (1344, 768)),
        ((600, 800), (832, 1216)),
        ((10, 5000), (832, 1216)),
    ):
        shaped = fit_shape(Ask("", width=size[0], height=size[1]), info)
        assert (shaped.width, shaped.height) == fitting, size
    assert fit_shape(Ask(""), info) == Ask("")
