"""DEVICES gives one engine for each device, in processes of their own."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from bot.domain.recipes import Recipe
from bot.engine import (
    Engine,
    EnginePool,
    EngineState,
    GenerationRequest,
    ModelInfo,
    ModelSource,
    open_pool,
)
from bot.engine.fleet.devices import list_children, read_device
from tests.tiny_models import build_tiny_model

SECONDS = 120


@pytest.mark.parametrize(
    ("device", "kind", "environ"),
    [
        ("cuda", "cuda", {}),
        ("cuda:1", "cuda", {"CUDA_VISIBLE_DEVICES": "1"}),
        ("rocm:0", "rocm", {"HIP_VISIBLE_DEVICES": "0"}),
        ("xpu:3", "xpu", {"ZE_AFFINITY_MASK": "3"}),
        ("cpu", "cpu", {}),
    ],
)
def test_child_sees_its_card_alone(
    device: str, kind: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert read_device(device) == (kind, environ)


def test_cards_are_counted_among_those_that_the_owner_shows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-7e")
    assert read_device("cuda:0")[1] == {"CUDA_VISIBLE_DEVICES": "5"}
    assert read_device("cuda:1")[1] == {"CUDA_VISIBLE_DEVICES": "GPU-7e"}
    assert read_device("cuda:2")[1] == {"CUDA_VISIBLE_DEVICES": "2"}  # torch will say: no card


def test_engines_on_the_cpu_share_its_cores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.cpu_count", lambda: 9)
    assert list_children(["cpu", "cpu"]) == [
        ("cpu (1)", "cpu", {"OMP_NUM_THREADS": "4"}),
        ("cpu (2)", "cpu", {"OMP_NUM_THREADS": "4"}),
    ]


def test_children_draw_what_one_engine_draws_and_a_missing_card_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    source = ModelSource(str(build_tiny_model(tmp_path / "model")), device="cpu")
    alone, pool = Engine(source, rows=12), open_pool(source, ["cpu", "cuda:7", "cpu"], rows=12)
    try:
        info = alone.start().result(SECONDS)
        assert start(pool).id == info.id
        requests = [make_request(info, number) for number in range(6)]
        futures = [pool.submit(request) for request in requests]
        for request, future in zip(requests, futures, strict=True):
            expected = alone.submit(request).result(SECONDS).images.astype(int)
            assert np.abs(expected - future.result(SECONDS).images).max() <= 1
        first, cuda, second = pool.list_engines()
        assert min(first.pictures_last_hour, second.pictures_last_hour) > 0
        assert first.pictures_last_hour + second.pictures_last_hour == 18
        assert cuda.state is EngineState.REFUSED
        assert "torch finds no NVIDIA GPU" in cuda.note
        assert "the engine cuda:7 cannot start" in caplog.text
    finally:
        pool.close(10)
        alone.close(10)


def start(pool: EnginePool) -> ModelInfo:
    """Start the pool and wait until no engine is loading any more."""
    changes: SimpleQueue[None] = SimpleQueue()
    pool.on_change = lambda: changes.put(None)
    info = pool.start().result(SECONDS)
    while any(each.state is EngineState.LOADING for each in pool.list_engines()):
        changes.get(timeout=SECONDS)
    return info


def make_request(info: ModelInfo, number: int) -> GenerationRequest:
    recipe = Recipe(
        prompt=f"dog {number}",
        width=info.width,
        height=info.height,
        num_inference_steps=3 + number,
        guidance_scale=3.0,
        sampler=info.default_sampler,
        seeds=(number, number + 10, number + 20),
        model=info.id,
    )
    return GenerationRequest(number, recipe)
