from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from bot.domain.recipes import Recipe, StartPicture
from bot.engine import Engine, GenerationRequest, ModelSource
from tests.tiny_models import SIDE, build_tiny_model

STARTER = Path(__file__).parents[2] / "bot" / "starter_model"

_RECIPE = Recipe(
    prompt="dog on a moon",
    negative_prompt="",
    width=SIDE,
    height=SIDE,
    num_inference_steps=4,
    guidance_scale=7.5,
    sampler="pndm",
    seeds=(0, 1, 2),
)


def make_request(**changes: Any) -> GenerationRequest:
    """Make a request. strength, may_tile: for the start picture, which may be an enlarged one.
    edited: whether the prompt is an instruction that changes it.
    """
    request_id, image = changes.pop("request_id", 1), changes.pop("image", None)
    strength, may_tile = changes.pop("strength", None), changes.pop("may_tile", False)
    if changes.pop("edited", False):
        changes["start"] = StartPicture(0, 0, 1.0, edited=True)
    elif strength is not None or may_tile:
        factor = 2 if may_tile else 1
        changes["start"] = StartPicture(0, 0, 1.0 if strength is None else strength, factor)
    return GenerationRequest(request_id, replace(_RECIPE, **changes), image)


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread() -> None:
    """Use one thread, as the engine does: on two busy cores, two OpenMP threads wait for each
    other.
    """
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def open_pair(tiny_family: Callable[[str], Path]) -> Callable[[str], Any]:
    """Return a function that opens a flow family's `FlowPair`. A test must leave it without
    requests.
    """
    from tests.engine.flow_pair import FlowPair

    return cache(lambda name: FlowPair(tiny_family(name)))


@pytest.fixture
def open_engine() -> Iterator[Callable[..., Engine]]:
    """Start engines on the CPU that are closed after the test."""
    engines: list[Engine] = []

    def open_one(model: Path, **options: Any) -> Engine:
        engine = Engine(ModelSource(str(model), device="cpu", **options), rows=12)
        engines.append(engine)
        engine.start()
        return engine

    yield open_one
    assert all([engine.close(30) for engine in engines])


@pytest.fixture(scope="module")
def engine(tiny_model: Path) -> Iterator[Engine]:
    """One engine for all tests of a module. Each test must leave it without requests."""
    engine = Engine(ModelSource(str(tiny_model), device="cpu"), rows=12)
    engine.start()
    yield engine
    assert engine.close(30)
