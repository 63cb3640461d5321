from __future__ import annotations

from pathlib import Path

import pytest

from bot.engine import ModelSource
from bot.engine.capacity.cost import CostModel
from bot.engine.models.loading import load_model
from tests.engine.conftest import STARTER, make_request


@pytest.fixture(scope="module")
def cost_model(tiny_model: Path) -> CostModel:
    return load_model(ModelSource(str(tiny_model), device="cpu")).cost_model


def default(**changes: object) -> object:
    return make_request(**{"num_inference_steps": 50, "guidance_scale": 7.5, **changes}).recipe


def test_default_request_costs_exactly_one(cost_model: CostModel) -> None:
    assert cost_model.estimate(default()) == 1.0


def test_starter_models_default_request_costs_exactly_one() -> None:
    model = load_model(ModelSource(str(STARTER), device="cpu"))
    info = model.info
    request = make_request(
        width=info.width,
        height=info.height,
        num_inference_steps=info.num_inference_steps,
        guidance_scale=info.guidance_scale,
        sampler=info.default_sampler,
    )
    assert model.cost_model.estimate(request.recipe) == 1.0
    assert (info.num_inference_steps, info.guidance_scale) == (20, 3.0)
    assert info.name == "Triptych starter model"


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [
        ({"seeds": (1,)}, 0.333, 0.334),
        ({"width": 64}, 2.0, 2.0),
        ({"guidance_scale": 1.0}, 0.5, 0.52),
        ({"sampler": "ddim"}, 0.97, 0.99),
        ({"sampler": "heun"}, 1.9, 1.95),
        ({"num_inference_steps": 100}, 1.9, 2.0),
    ],
)
def test_cost_follows_the_work(
    cost_model: CostModel, changes: dict[str, object], low: float, high: float
) -> None:
    assert low <= cost_model.estimate(default(**changes)) <= high
