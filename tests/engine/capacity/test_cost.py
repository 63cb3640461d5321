from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bot.engine import Engine, ModelSource
from bot.engine.capacity.cost import CostModel
from bot.engine.models.flop import _freeze
from bot.engine.models.loading import LoadedModel, load_model
from tests.engine.conftest import STARTER, make_request
from tests.tiny_models import build_tiny_model


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


@pytest.fixture(scope="module")
def large_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with twice as many channels as the other, and fewer steps by default."""
    folder = tmp_path_factory.mktemp("large") / "model"
    build_tiny_model(folder, unet={"block_out_channels": (32, 64, 64)})
    defaults = {"name": "large", "num_inference_steps": 20, "guidance_scale": 7.5}
    (folder / "triptych.json").write_text(json.dumps(defaults))
    return folder


def load(folder: Path, unit_flop: float | None = None) -> LoadedModel:
    return load_model(ModelSource(str(folder), device="cpu"), unit_flop)


def test_cost_of_every_model_is_in_default_requests_of_the_default_model(
    tiny_model: Path, large_model: Path
) -> None:
    first = load(tiny_model)
    second = load(large_model, first.info.request_flop)
    factor = second.info.request_flop / first.info.request_flop
    assert (first.info.cost_factor, second.info.cost_factor) == (1.0, factor)
    assert first.cost_model.estimate(default()) == 1.0
    assert second.cost_model.estimate(default(num_inference_steps=20)) == pytest.approx(factor)
    # PNDM makes one call more than steps. The two models have the same VAE.
    flop = [
        3 * (51 * 2 * m.cost_model.row_flop + m.cost_model.decode_flop) for m in (first, second)
    ]
    assert flop[1] > 2 * flop[0]
    ratio = second.cost_model.estimate(default()) / first.cost_model.estimate(default())
    assert ratio == pytest.approx(flop[1] / flop[0])


def test_model_that_is_given_no_unit_is_the_default_model(large_model: Path) -> None:
    alone = load(large_model)
    assert alone.info.cost_factor == 1.0
    assert alone.cost_model.estimate(default(num_inference_steps=20)) == 1.0


def test_engine_counts_in_the_unit_it_was_given(tiny_model: Path) -> None:
    unit = load(tiny_model).info.request_flop / 4
    engine = Engine(ModelSource(str(tiny_model), device="cpu"), rows=12, unit_flop=unit)
    info = engine.start().result(30)
    assert engine.close(30)
    assert info.cost_factor == 4.0
    assert engine.cost(default()) == 4.0


def test_models_of_one_shape_are_counted_once(tiny_model: Path, tmp_path: Path) -> None:
    config = load_model(ModelSource(str(tiny_model), device="cpu")).pipe.unet.config
    other = load_model(ModelSource(str(shutil.copytree(tiny_model, tmp_path / "m")), device="cpu"))
    assert other.pipe.unet.config["_name_or_path"] != config["_name_or_path"]
    assert _freeze(other.pipe.unet.config) == _freeze(config)
