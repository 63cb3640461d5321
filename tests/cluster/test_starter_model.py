"""Pictures do not depend on the machine that draws them."""

from __future__ import annotations

import os
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bot.cluster.machines import Machines, start_driver
from bot.cluster.nodes import make_environ
from bot.cluster.worker_engine import WorkerEngineMaker
from bot.domain.recipes import Recipe
from bot.engine import Engine, EngineState, GenerationOutput, GenerationRequest, ModelInfo
from bot.engine.pool import EnginePool
from bot.ops.resources import choose_model_source, choose_upscaler
from bot.settings import Settings
from tests.cluster.clusters import SECONDS, Nodes, Watch, start

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.environ.get("EXACTNESS") != "full", reason="part of `make exactness`"),
]


def make_request(number: int, info: ModelInfo) -> GenerationRequest:
    recipe = Recipe(
        prompt=("a red apple", "two blue birds", "a cat in the snow", "a green car")[number],
        negative_prompt="",
        seeds=(number, 10 + number, 20 + number),
        width=128,
        height=128,
        num_inference_steps=6,
        guidance_scale=3.0,
        sampler="euler_a",
        model=info.id,
        upscaler=info.upscaler.name if info.upscaler else None,
        upscale_factor=info.find_shown_factor(128, 128),
    )
    return GenerationRequest(1 + number, recipe)


def test_two_machines_draw_the_pictures_of_one_engine(nodes: Nodes, tmp_path: Path):
    settings = Settings(_env_file=None, device="cpu", data_dir=tmp_path)  # type: ignore[call-arg]
    alone = Engine(choose_model_source(settings), upscaler=choose_upscaler(settings))
    info = alone.start().result(SECONDS)
    requests = [make_request(number, info) for number in range(4)]
    expected = [alone.submit(request).result(SECONDS) for request in requests]
    assert alone.close(SECONDS)

    nodes.start_worker("far")
    maker, environ = WorkerEngineMaker.of(settings), make_environ(nodes.token_file)
    pool = EnginePool({}, [Machines(partial(start_driver, nodes.address, maker, environ))])
    watch = Watch(pool)
    try:
        assert start(pool).id == info.id
        watch.until(near=EngineState.READY, far=EngineState.READY)
        drawing: list[Future[GenerationOutput]] = [pool.submit(request) for request in requests]
        drawn = [future.result(SECONDS) for future in drawing]
        assert all(each.pictures_last_hour > 0 for each in pool.list_engines())
    finally:
        pool.close(5)
    for one, other in zip(expected, drawn, strict=True):
        assert one.images.std() > 10  # pictures, not blanks
        assert np.abs(one.images.astype(int) - other.images).max() <= 1
        assert one.enlarged is not None
        assert other.enlarged is not None
        # Enlarging sharpens, so a difference of 1 in the picture may become a larger one.
        assert np.abs(one.enlarged.astype(int) - other.enlarged).max() <= 3
