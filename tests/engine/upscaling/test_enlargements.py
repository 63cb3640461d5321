"""Enlarging in the engine's batch: beside drawings, cancelled, refused, and its cost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.domain.recipes import StartPicture
from bot.engine import Engine, EngineOptions, GenerationRequest, ModelSource, Progress
from bot.engine.batch import Batch, open_batch
from bot.engine.steps.groups import Drawing
from bot.engine.upscaling.enlargements import Enlargements
from bot.engine.upscaling.upscaler import Upscaler
from bot.errors import GenerationCancelled, GenerationFailed, GenerationRejected
from bot.texts.codes import Code
from tests.engine.conftest import STARTER, make_request
from tests.engine.drawing import ignore, run
from tests.engine.test_engine import Gate
from tests.engine.upscaling.conftest import make_picture
from tests.fakes.engine import UPSCALER


def make_upscaling(request_id: int = 1, side: int = 32, factor: int = 2) -> GenerationRequest:
    start = StartPicture(9, 1, 0.0, factor, factor)
    size = {"width": side * factor, "height": side * factor}
    request = make_request(request_id=request_id, start=start, seeds=(5,), **size)
    return replace(request, image=make_picture(side, side))


@pytest.fixture(scope="module")
def batch(tiny_model: Path) -> Batch:
    source = ModelSource(str(tiny_model), device="cpu")
    return open_batch(source, EngineOptions(rows=12, upscaler=UPSCALER))


def test_picture_is_enlarged_without_the_model(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_advance", None)  # no step can be taken
    request, seen = make_upscaling(side=256), list[Progress]()
    drawing = batch.join(request, seen.append)
    output = run(batch, [drawing])[drawing]
    assert output.images.shape == (1, 512, 512, 3)
    assert output.enlarged is None
    assert output.gpu_seconds > 0
    assert output.engine == "CPU"
    assert [(each.step, each.num_steps) for each in seen] == [(n, 4) for n in range(1, 5)]
    small = output.images[0].reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - request.image).mean() < 20  # the same picture
    assert batch.drawings == []


def test_neighbours_take_a_step_between_two_tiles(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    instants = itertools.count(step=1e-9)  # one tile takes less time than any step
    monkeypatch.setattr(batch._enlargements, "_clock", lambda: next(instants))
    monkeypatch.setattr(batch._enlargements, "_owed_seconds", 0.0)  # set by an earlier test
    order: list[str] = []
    neighbour = make_request(request_id=1, num_inference_steps=4, sampler="ddim")
    drawn = batch.join(neighbour, lambda _: order.append("step"))
    large = [
        batch.join(make_upscaling(request_id=n, side=384), lambda _: order.append("tile"))
        for n in (2, 3)
    ]
    outcomes = run(batch, [drawn])
    assert outcomes[drawn].images.any()
    assert order.count("step") == 4
    assert order.count("tile") in {3, 4, 5}, "one tile a tick, however many pictures wait"
    alone = batch.join(replace(neighbour, request_id=4), ignore)
    assert (run(batch, [alone])[alone].images == outcomes[drawn].images).all()
    for each in large:
        batch.leave(each)
    assert batch.drawings == []


def test_tile_waits_until_steps_took_as_long_as_the_last_one(shipped: Upscaler) -> None:
    now = 0.0

    def work(_: Drawing, step: Callable[[], object]) -> None:
        nonlocal now
        now += 3.0
        step()

    enlargements, seen = Enlargements(shipped, "CPU", lambda: now), list[Progress]()
    enlargements.begin(make_upscaling(side=256), seen.append)
    for _ in range(5):
        enlargements.step(work, is_alone=False)
    assert len(seen) == 1
    enlargements.pay(2.0)
    enlargements.step(work, is_alone=False)
    assert len(seen) == 1
    enlargements.pay(1.0)
    enlargements.step(work, is_alone=False)
    assert len(seen) == 2
    enlargements.step(work, is_alone=True)
    assert len(seen) == 3, "nobody waits for a step"


def test_enlarging_takes_turns_so_that_a_small_picture_is_soon_done(batch: Batch) -> None:
    large, small = (
        batch.join(make_upscaling(request_id=n, side=side), ignore)
        for n, side in ((1, 384), (2, 32))
    )
    assert batch.tick() == []
    [(done, _)] = batch.tick()
    assert done is small
    batch.leave(large)
    assert batch.drawings == []


def test_enlarging_is_cancelled_between_two_tiles(tiny_model: Path) -> None:
    engine = Engine(ModelSource(str(tiny_model), device="cpu"), rows=12, upscaler=UPSCALER)
    info = engine.start().result(60)
    assert info.upscaler is not None
    gate = Gate()
    future = engine.submit(make_upscaling(side=384), gate)
    gate.wait()
    engine.cancel(1)
    gate.open()
    assert isinstance(future.exception(30), GenerationCancelled)
    assert gate.steps == [1]
    assert engine.has_room(make_upscaling().recipe)
    assert engine.close(30)


@pytest.mark.parametrize("wrong", ["no picture", "other size", "other factor"])
def test_request_that_does_not_fit_its_picture_is_rejected(batch: Batch, wrong: str) -> None:
    request = make_upscaling()
    match wrong:
        case "no picture":
            request = replace(request, image=None)
        case "other size":
            request = replace(request, image=make_picture(40, 32))
        case _:
            request = make_upscaling(factor=3)
    with pytest.raises(GenerationRejected):
        batch.join(request, ignore)
    assert batch.drawings == []


def test_engine_without_an_upscaler_says_so(tiny_model: Path) -> None:
    off = open_batch(ModelSource(str(tiny_model), device="cpu"), EngineOptions(rows=12))
    assert off.runner.info.upscaler is None
    with pytest.raises(GenerationRejected) as caught:
        off.join(make_upscaling(), ignore)
    assert caught.value.reason.code is Code.UPSCALER_CHANGED


def test_fault_of_one_enlarging_is_its_own(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a fault in the network")

    drawn = batch.join(make_request(request_id=1, num_inference_steps=3), ignore)
    broken = batch.join(make_upscaling(request_id=2), ignore)
    monkeypatch.setattr(batch._enlargements._upscaler, "enlarge_tile", fail)
    outcomes = run(batch, [drawn, broken])
    assert isinstance(outcomes[broken], GenerationFailed)
    assert outcomes[drawn].images.any()
    assert batch.drawings == []


def test_pictures_of_a_small_model_are_enlarged_for_showing() -> None:
    batch = open_batch(
        ModelSource(str(STARTER), device="cpu"), EngineOptions(rows=6, upscaler=UPSCALER)
    )
    info = batch.runner.info
    assert info.find_shown_factor(128, 128) == 4
    assert info.find_shown_factor(256, 128) == 2
    assert info.find_shown_factor(512, 128) is None
    request = make_request(
        width=128, height=128, seeds=(1, 2), num_inference_steps=2, sampler="ddim"
    )
    shown = replace(
        request, recipe=replace(request.recipe, upscaler="x", upscale_factor=4), request_id=2
    )
    plain, seen = batch.join(request, ignore), list[Progress]()
    enlarged = batch.join(shown, seen.append)
    outcomes = run(batch, [plain, enlarged])
    assert outcomes[plain].enlarged is None
    assert (outcomes[plain].images == outcomes[enlarged].images).all(), "it is drawn the same"
    assert outcomes[enlarged].enlarged.shape == (2, 512, 512, 3)
    assert [each.step for each in seen] == [1, 2, 2, 2], "each tile shows that work goes on"
    assert outcomes[enlarged].gpu_seconds > 0


def test_cost_counts_the_work_of_enlarging(batch: Batch) -> None:
    cost = batch.runner.cost_model
    small, large = (cost.estimate(make_upscaling(side=side).recipe) for side in (64, 128))
    assert 0 < small < large
    assert large == pytest.approx(4 * small)
    assert cost.estimate(make_upscaling(side=512).recipe) > 16 * large, "margins count"
    flop = 128 * 128 * 2 * (27 * 64 + 16 * 9 * 64 * 64 + 9 * 64 * 48)
    assert large == pytest.approx(flop / cost.request_flop)


def test_default_request_costs_one_although_its_pictures_are_shown_enlarged() -> None:
    source = ModelSource(str(STARTER), device="cpu")
    shown = open_batch(source, EngineOptions(rows=6, upscaler=UPSCALER)).runner
    plain = open_batch(source, EngineOptions(rows=6)).runner
    request = make_request(
        width=128, height=128, num_inference_steps=20, guidance_scale=3.0, sampler="ddim"
    )
    assert shown.cost_model.estimate(request.recipe) == pytest.approx(1.0)
    assert shown.info.cost_factor == 1.0
    assert shown.info.request_flop > plain.info.request_flop
