"""The engine draws what StableDiffusionPipeline draws, with equal weights, seeds and scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.engine import Engine, GenerationRequest
from bot.errors import GenerationRejected
from tests.engine.conftest import STARTER, make_request
from tests.engine.drawing import FEW, Pair, find_worst
from tests.tiny_models import build_tiny_model


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Iterator[Pair]:
    yield Pair(tiny_model)


@pytest.fixture(scope="module")
def zero_snr(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(build_tiny_model(tmp_path_factory.mktemp("zero") / "model", "zero_snr"))


@pytest.fixture(scope="module")
def starter() -> Pair:
    return Pair(STARTER)


def assert_same_pictures(pair: Pair, request: GenerationRequest) -> None:
    ours, alone = pair.draw(request).images, pair.draw_alone(request)
    assert (
        ours.shape == alone.shape == (len(request.recipe.seeds), *reversed(request.recipe.size), 3)
    )
    assert ours.dtype == np.uint8
    assert ours.std() > 5, "an even picture proves nothing"
    assert find_worst(ours, alone) <= 1


@pytest.mark.parametrize("guidance_scale", [7.5, 1.0])
@pytest.mark.parametrize("sampler", FEW)
def test_each_kind_of_sampler_draws_what_the_pipeline_draws(
    tiny: Pair, sampler: str, guidance_scale: float
) -> None:
    request = make_request(sampler=sampler, guidance_scale=guidance_scale)
    assert_same_pictures(tiny, request)


@pytest.mark.parametrize("sampler", ["ddim", "euler_a", "dpmpp_3m", "unipc_karras"])
def test_zero_snr_model_draws_what_the_pipeline_draws(zero_snr: Pair, sampler: str) -> None:
    assert sampler in zero_snr.info.samplers
    assert_same_pictures(zero_snr, make_request(sampler=sampler))


@pytest.mark.parametrize(
    "changes",
    [
        {"negative_prompt": "cat, a hat"},
        {"guidance_scale": 0.0},
        {"width": 48, "height": 24},
        {"seeds": (2**32 - 1,)},
        {"num_inference_steps": 1},
        {"num_inference_steps": 2, "sampler": "kdpm2"},
        {"prompt": ""},
        {"prompt": "dog " * 40},
        {"clip_skip": 0},
        {"clip_skip": 1},
    ],
    ids=str,
)
def test_every_parameter_means_what_it_means_to_the_pipeline(
    tiny: Pair, changes: dict[str, Any]
) -> None:
    assert_same_pictures(tiny, make_request(**changes))


def test_layers_that_the_text_encoder_lacks_cannot_be_skipped(tiny: Pair) -> None:
    assert tiny.info.max_clip_skip == 1
    with pytest.raises(GenerationRejected, match="Clip skip must be between 0 and 1"):
        tiny.draw(make_request(clip_skip=2))


def test_prompt_is_kept_apart_for_each_clip_skip(tiny: Pair) -> None:
    whole, cut = (tiny.draw(make_request(clip_skip=skip)).images for skip in (0, 1))
    assert find_worst(whole, cut) > 1


@pytest.mark.parametrize("strength", [0.3, 0.75, 1.0])
def test_picture_to_start_from_means_what_it_means_to_the_image_pipeline(
    tiny: Pair, strength: float
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    changes = {"image": image, "width": 48, "height": 32, "num_inference_steps": 8}
    assert_same_pictures(tiny, make_request(strength=strength, **changes))


def test_each_picture_can_be_redrawn_alone(tiny: Pair) -> None:
    three = tiny.draw(make_request(seeds=(7, 8, 9))).images
    alone = tiny.draw(make_request(seeds=(8,))).images[0]
    assert find_worst(three[1], alone) <= 1


def test_starter_model_draws_the_horse_on_the_moon(starter: Pair) -> None:
    prompt = "a photograph of an horse on moon"
    assert_same_pictures(starter, make_starter_request(starter, prompt=prompt, seeds=(0,)))


@pytest.mark.parametrize("sampler", ["euler_a", "dpmpp_2m_karras"])
def test_starter_model_draws_with_other_samplers(starter: Pair, sampler: str) -> None:
    assert sampler in starter.info.samplers
    request = make_starter_request(starter, sampler=sampler, num_inference_steps=6, seeds=(3,))
    assert_same_pictures(starter, request)


def test_starter_model_draws_three_dogs_through_the_engine_thread(
    starter: Pair, open_engine: Callable[..., Engine]
) -> None:
    request = make_starter_request(starter)
    ours = open_engine(STARTER).submit(request).result(60).images
    assert np.hstack(list(ours)).shape == (
        request.recipe.height,
        3 * request.recipe.width,
        3,
    )  # the 1×3 grid
    alone = starter.draw_alone(request)
    assert find_worst(ours, alone) <= 1


def make_starter_request(starter: Pair, **changes: Any) -> GenerationRequest:
    info = starter.info
    defaults: dict[str, Any] = {
        "prompt": "dog sitting in a field of autumn leaves",
        "width": info.width,
        "height": info.height,
        "num_inference_steps": info.num_inference_steps,
        "guidance_scale": info.guidance_scale,
        "sampler": info.default_sampler,
    }
    return make_request(**{**defaults, **changes})
