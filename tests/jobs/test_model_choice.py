"""Which model draws a prompt, and what happens while a model is loaded, fails or is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.models import ModelEntry
from bot.domain.recipes import Ask, Style
from bot.domain.rounds import RoundAsk, RoundStatus
from bot.engine import EnginePool
from bot.engine.api import Swapping
from bot.errors import UserError
from bot.recipes.derive import compose_again, compose_upscale
from bot.recipes.styles import apply_style, fit_style
from bot.texts.codes import Code
from bot.texts.reasons import because, say
from tests.conftest import GUILD, FakeCaller, House, OpenHouse
from tests.fakes.engine import INFO, SHIPPED, FakeEngine, describe_fake
from tests.jobs.test_intake import refusal_of

FILE = """
[[model]]
id = "elsewhere"
model = "starter"
guilds = ["223456789012345678"]
[[model]]
id = "classic"
model = "starter"
[[model]]
id = "swift"
model = "starter"
label = "Swift flow"
sampler = "lcm"
num_inference_steps = 2
[[model]]
id = "club"
model = "starter"
roles = ["123456789012345678"]
"""
CLUB_ROLE = 123456789012345678


class Engines:
    """The engine of each model, and a pool of all of them."""

    def __init__(self, *ids: str) -> None:
        entries = [ModelEntry(each, "starter") for each in ids]
        swift = {"sampler": "lcm", "num_inference_steps": 2}
        entries = [replace(each, **swift) if each.id == "swift" else each for each in entries]
        self.of = {
            each.id: FakeEngine(info=describe_fake(each, is_default=each is entries[0]))
            for each in entries
        }
        self.pool = EnginePool({name: lambda name=name: self.of[name] for name in self.of})

    def list_drawn(self, model: str) -> list[str]:
        return [request.recipe.prompt for request in self.of[model].drawn]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """MODELS_FILE with three models."""
    path = tmp_path / "models.toml"
    path.write_text(FILE)
    return path


@asynccontextmanager
async def open_models(
    open_house: OpenHouse, path: Path, *ids: str
) -> AsyncIterator[tuple[House, Engines]]:
    engines = Engines(*(ids or ("elsewhere", "classic", "swift", "club")))
    async with open_house(engines.pool, models_file=path) as house:
        yield house, engines


def take_out(house: House, engines: Engines, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pool say that a model has failed."""
    out = {"note": "out of memory", "is_out": True}
    statuses = [
        replace(each, **out) if each.id == model else each for each in engines.pool.list_models()
    ]
    monkeypatch.setattr(house.services.models, "_list_models", lambda: statuses)


async def list_refused(house: House) -> list[Job]:
    rows = await house.database.fetch_all("SELECT job_id FROM job WHERE status = 'refused'")
    return [await house.fetch(row["job_id"]) for row in rows]


async def test_prompt_waits_for_the_model_that_is_still_loaded_and_others_go_on(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, engines):
        engines.of["swift"].may_load.clear()
        await house.start()
        waiting = await house.submit("first", model="swift")
        assert (waiting.status, waiting.cost) == (JobStatus.QUEUED, 1.0)
        assert (waiting.recipe.model, waiting.recipe.num_inference_steps) == ("swift", None)
        other = await house.submit("second")
        await house.until_status(other, JobStatus.DELIVERED)
        assert (await house.fetch(waiting)).status is JobStatus.QUEUED
        engines.of["swift"].may_load.set()
        done = await house.until_status(waiting, JobStatus.DELIVERED)
        assert (done.recipe.sampler, done.recipe.num_inference_steps) == ("lcm", 2)
        assert engines.list_drawn("swift") == ["first"]


async def test_default_of_the_server_is_used_only_by_those_who_may_use_it(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, _):
        await house.start()
        await house.services.settings.put(GUILD, "default_model", "club")
        inside = await house.submit(origin=house.origin(role_ids=(CLUB_ROLE,)))
        outside = await house.submit()
        assert (inside.recipe.model, outside.recipe.model) == ("club", "classic")
        told = await refusal_of(house, model="club")
        assert all(job.recipe.model != "club" for job in await list_refused(house))
        assert "Choose one of: classic, Swift flow." in told


async def test_model_that_cannot_draw_is_refused_by_name_and_passed_over_as_a_default(
    open_house: OpenHouse, path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with open_models(open_house, path) as (house, engines):
        await house.start()
        await house.until(lambda: len(engines.pool.list_models()) == 4)
        take_out(house, engines, "swift", monkeypatch)
        told = await refusal_of(house, model="swift")
        assert "The model Swift flow does not work at the moment" in told
        assert "Choose another one: classic." in told
        assert "memory" not in told
        await house.services.settings.put(GUILD, "default_model", "swift")
        assert (await house.submit()).recipe.model == "classic"


async def test_prompt_whose_model_fails_while_it_waits_reads_only_what_its_server_can_use(
    open_house: OpenHouse, path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with open_models(open_house, path) as (house, engines):
        engines.of["swift"].may_load.clear()
        await house.start()
        job = await house.submit(model="swift")
        await house.until(lambda: len(engines.pool.list_models()) == 3)
        everything = because(Code.MODEL_OUT, model="swift", others=["elsewhere", "club"])
        monkeypatch.setattr(engines.pool, "find_refusal", lambda recipe: everything)
        house.services.waitlist.changed.set()
        ended = await house.until_status(job, JobStatus.REFUSED)
        assert "Choose another one: classic. Or" in say(ended.reason)
        assert ended.cost == 0


async def test_owner_can_use_every_model_in_the_terminal(open_house: OpenHouse, path: Path):
    async with open_models(open_house, path) as (house, _):
        await house.start()
        mine = Origin(source=Source.TERMINAL)
        assert (await house.submit(origin=mine)).recipe.model == "elsewhere"
        assert (await house.submit(origin=mine, model="club")).recipe.model == "club"


async def test_button_of_a_picture_whose_model_is_gone_draws_with_the_default(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, _):
        await house.start()
        job = await house.submit()
        gone = replace(job, recipe=replace(job.recipe, model="gone"))
        again = compose_again(gone)
        assert again.model == "gone"
        done = await house.services.intake.submit(again, house.origin(), FakeCaller())
        assert done is not None and done.recipe.model == "classic"
        assert "Choose one of" in await refusal_of(house, model="gone")
        larger = compose_upscale(gone, 1, SHIPPED, 1024)
        done = await house.services.intake.submit(larger, house.origin(), FakeCaller())
        assert done is not None and done.recipe.model == "gone"
        assert done.status is JobStatus.QUEUED, done.reason


async def test_button_of_a_picture_whose_model_is_gone_leaves_out_what_the_default_cannot_do(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, engines):
        await house.start()
        job = await house.submit(seed=7)
        own = {"sampler": "lcm", "num_inference_steps": 2, "guidance_scale": 9.0, "clip_skip": 9}
        recipe = replace(job.recipe, model="gone", width=1004, height=1500, **own)
        again = compose_again(replace(job, recipe=recipe))
        done = await house.services.intake.submit(again, house.origin(), FakeCaller())
        assert done is not None and done.status is JobStatus.QUEUED, done and done.reason
        classic = engines.of["classic"].info
        assert (done.recipe.model, done.recipe.sampler) == ("classic", classic.default_sampler)
        assert done.recipe.num_inference_steps == classic.num_inference_steps
        assert done.recipe.size == (classic.width, classic.height)


async def test_button_of_a_picture_whose_model_a_member_may_not_use_is_refused(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, _):
        await house.start()
        job = await house.submit(model="club", origin=house.origin(role_ids=(CLUB_ROLE,)))
        assert job.recipe.model == "club"
        again = await house.services.intake.submit(
            compose_again(job), house.origin(7), FakeCaller()
        )
        assert again is not None and again.status is JobStatus.REFUSED
        assert again.reason is not None and again.reason.code is Code.MODEL_UNKNOWN


async def test_only_model_that_is_left_draws_what_waited_for_others(open_house: OpenHouse):
    async with open_house(FakeEngine()) as before:
        await before.load_model()
        job = await before.submit()
        assert job.recipe.model == INFO.id
    async with open_house(FakeEngine(info=replace(INFO, id="another"))) as after:
        await after.services.recovery.run()
        await after.start()
        done = await after.until_status(job, JobStatus.DELIVERED)
        assert done.recipe.model == "another"


@pytest.mark.parametrize(
    "limit", ['roles = ["123456789012345678"]', f'guilds = ["{GUILD}"]', "depicts_person = true"]
)
async def test_only_model_that_is_left_draws_nothing_for_others_if_it_is_not_for_everybody(
    open_house: OpenHouse, tmp_path: Path, limit: str
):
    async with open_house(FakeEngine()) as before:
        await before.load_model()
        job = await before.submit("nude")
    path = tmp_path / "models.toml"
    path.write_text(f'[[model]]\nid = "club"\nmodel = "starter"\n{limit}\n')
    async with open_models(open_house, path, "club") as (after, engines):
        await after.services.recovery.run()
        await after.start()
        ended = await after.until_status(job, JobStatus.REFUSED)
        assert ended.reason is not None and ended.reason.code is Code.MODEL_GONE
        assert not engines.of["club"].drawn


async def test_model_that_the_owner_removed_is_refused_by_the_waitlist(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, _):
        await house.start()
        with pytest.raises(UserError) as caught:
            house.services.waitlist.find_info("gone")
        assert caught.value.reason.code is Code.MODEL_GONE


async def test_wait_that_models_shows_contains_the_swap(
    open_house: OpenHouse, path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with open_models(open_house, path) as (house, engines):
        await house.start()
        await house.until(lambda: len(engines.pool.list_models()) == 4)
        waitlist, swift = house.services.waitlist, engines.of["swift"].info
        assert waitlist.estimate_default_wait(swift) is None
        await house.until_status(await house.submit(), JobStatus.DELIVERED)
        quick = waitlist.estimate_default_wait(swift)
        assert quick is not None
        swapping = Swapping("classic", swap_seconds=30.0, turn_seconds=20.0)
        monkeypatch.setattr(engines.pool, "find_swapping", lambda recipe: swapping)
        slow = waitlist.estimate_default_wait(swift)
        assert slow is not None and slow >= quick + 30.0


async def test_every_prompt_is_taken_before_the_only_model_is_loaded(open_house: OpenHouse):
    async with open_house(FakeEngine()) as house:
        for asked in (None, INFO.id, "another"):
            job = await house.submit(model=asked)
            assert (job.status, job.recipe.model) == (JobStatus.QUEUED, None)


def test_what_a_model_cannot_use_of_a_style_is_left_out():
    style = Style("ink", "an ink drawing of", sampler="ddim", num_inference_steps=30)
    assert fit_style(style, INFO) == style
    flow = replace(INFO, samplers=("euler",), is_distilled=True)
    ask = apply_style(fit_style(style, flow), Ask("dog", sampler="lcm"))
    assert (ask.sampler, ask.num_inference_steps) == ("lcm", None)
    assert ask.prompt == "an ink drawing of dog"
    assert fit_style(replace(style, sampler=None), flow).sampler is None


@pytest.mark.parametrize("fate", ["works", "gone", "out"])
async def test_round_keeps_its_model_and_the_default_takes_over_if_that_cannot_draw(
    open_house: OpenHouse, path: Path, fate: str, monkeypatch: pytest.MonkeyPatch
):
    async with open_models(open_house, path) as (house, engines):
        await house.start()
        await house.until(lambda: len(engines.pool.list_models()) == 4)
        await house.services.settings.put(GUILD, "default_model", "swift")
        rounds = house.services.rounds
        round_ = await rounds.rounds.start(RoundAsk("a market"), house.origin(1))
        assert round_.model == "swift"
        await house.services.settings.put(GUILD, "default_model", None)
        if fate == "out":
            take_out(house, engines, "swift", monkeypatch)
        if fate == "gone":
            await house.database.execute("UPDATE round SET model = 'gone'")
        for user_id in (1, 2):
            await rounds.phrases.add(round_.round_id, f"lamp {user_id}", house.origin(user_id))
        await rounds.rounds.close(round_.round_id, GUILD, 1)
        await rounds.upkeep.look_after()
        drawing = (await rounds.rounds.fetch(round_.round_id, GUILD)).round
        assert drawing.status is RoundStatus.DRAWING
        assert drawing.job_id is not None
        job = await house.fetch(drawing.job_id)
        assert job.recipe.model == ("swift" if fate == "works" else "classic")


async def test_round_is_drawn_only_with_a_model_that_everybody_in_the_server_may_use(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, _):
        await house.start()
        await house.services.settings.put(GUILD, "default_model", "club")
        rounds = house.services.rounds
        patron = house.origin(1, role_ids=(CLUB_ROLE,))
        assert (await house.submit(origin=patron)).recipe.model == "club"
        patron = house.origin(1, role_ids=(CLUB_ROLE,))
        round_ = await rounds.rounds.start(RoundAsk("a market"), patron)
        assert round_.model == "classic"
        keep = house.services.rounds.rounds._prompts._intake.keep_model
        assert keep("swift", GUILD) == "swift"
        assert keep("club", GUILD) == keep("elsewhere", GUILD) == "classic"


async def test_round_is_drawn_in_the_nearest_size_if_its_model_cannot_draw_the_one_it_has(
    open_house: OpenHouse, path: Path
):
    async with open_models(open_house, path) as (house, engines):
        await house.start()
        rounds = house.services.rounds
        asked = RoundAsk("a market", width=1004, height=1500)  # of another model, for example
        round_ = await rounds.rounds.start(asked, house.origin(1))
        for user_id in (1, 2):
            await rounds.phrases.add(round_.round_id, f"lamp {user_id}", house.origin(user_id))
        await rounds.rounds.close(round_.round_id, GUILD, 1)
        await rounds.upkeep.look_after()
        drawing = (await rounds.rounds.fetch(round_.round_id, GUILD)).round
        assert drawing.status is RoundStatus.DRAWING, drawing.reason
        assert drawing.job_id is not None
        info = engines.of["classic"].info
        assert (await house.fetch(drawing.job_id)).recipe.size == (info.width, info.height)
