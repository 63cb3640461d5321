"""Families with a text mask: texts of different lengths share a batch and change nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.engine.conditioning import Conditioning
from bot.engine.models.loading import LoadedModel
from bot.engine.models.text_buckets import find_cut_words, pad_texts
from bot.engine.runner import ModelRunner
from bot.engine.steps.steppers import Stepper
from tests.engine.conftest import make_request
from tests.engine.drawing import cast, draw, find_error, find_worst, load
from tests.engine.flow_pair import FlowPair, open_small_batch
from tests.engine.models.test_tiling import make_copy, make_picture, note_sides
from tests.engine.test_flow_families import LONG, ask

NAMES = ("z_image", "qwen_image")


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def pair(name: str, open_pair: Callable[[str], FlowPair]) -> FlowPair:
    return open_pair(name)


@pytest.fixture
def folder(name: str, tiny_family: Callable[[str], Path]) -> Path:
    return tiny_family(name)


@pytest.fixture(scope="module")
def load_once() -> Callable[[Path], LoadedModel]:
    return cache(load)


@pytest.fixture
def model(folder: Path, load_once: Callable[[Path], LoadedModel]) -> LoadedModel:
    """The model in float32."""
    return load_once(folder)


def make_text(length: int) -> Conditioning:
    return Conditioning({"embeds": torch.full((length, 3), 2.0)}, "the end")


def test_both_rows_are_padded_to_the_bucket_of_the_longer() -> None:
    cond, uncond = pad_texts(make_text(5), make_text(78))
    assert (cond.num_tokens, cond.tensors["mask"].sum(), cond.cut_words) == (128, 5, "the end")
    assert cond.tensors["embeds"].sum() == 5 * 3 * 2
    assert uncond is not None
    assert (uncond.num_tokens, uncond.tensors["mask"].sum()) == (128, 78)
    assert (uncond.tensors["mask"][:78] == 1).all()


@pytest.mark.parametrize(("length", "bucket"), [(77, 77), (78, 128), (1024, 1024), (2050, 2050)])
def test_text_gets_the_next_bucket(length: int, bucket: int) -> None:
    cond, uncond = pad_texts(make_text(length), None)
    assert (cond.num_tokens, uncond) == (bucket, None)


def test_texts_in_one_batch_are_drawn_as_alone(pair: FlowPair) -> None:
    """In float64, so any token of padding that is seen would show."""
    requests = [
        ask(pair, 1, prompt="hat", num_inference_steps=3),
        ask(pair, 2, prompt=LONG, negative_prompt="a cat", num_inference_steps=2),
        ask(pair, 3, prompt=f"{LONG} {LONG} {LONG}", num_inference_steps=3, guidance_scale=1.0),
    ]
    mixed = pair.draw(requests)
    for request in requests:
        own = pair.draw([request])[request.request_id][0]
        assert find_error(mixed[request.request_id][0], own) < 1e-12
    lengths = [pair.family.encode(each.recipe)[0].tensors["mask"].sum() for each in requests]
    buckets = [pair.family.encode(each.recipe)[0].num_tokens for each in requests]
    assert buckets[0] == buckets[1] < buckets[2], "the first two share a batch"
    assert lengths[0] < lengths[1] < lengths[2]


def test_prompt_that_is_too_long_is_cut_where_the_pipeline_cuts_it(pair: FlowPair) -> None:
    words = " ".join(["leaves"] * 600)
    request = ask(pair, prompt=words, num_inference_steps=2)
    cond, _ = pair.family.encode(request.recipe)
    assert cond.tensors["mask"].sum() == 512
    read = words.removesuffix(cond.cut_words)
    whole, _ = pair.family.encode(replace(request.recipe, prompt=read))
    assert whole.cut_words == ""
    tokens = pair.family.tokenizer(read.strip(), add_special_tokens=False).input_ids
    assert len(tokens) == pair.info.prompt_tokens
    pair.check([request])


def test_template_is_no_part_of_the_words_that_were_cut(pair: FlowPair) -> None:
    template = "user {} please"
    cut = [
        find_cut_words(pair.family.tokenizer, template, "a dog, a cat {x}", count)
        for count in (1, len(pair.family.tokenizer("user a dog,").input_ids), 500)
    ]
    assert cut == ["a dog, a cat {x}", "a cat {x}", ""]


def test_rows_that_only_pad_a_batch_change_nothing(model: LoadedModel, pair: FlowPair) -> None:
    """DETERMINISTIC pads each batch with rows that have no text."""
    request = ask(pair, num_inference_steps=2)
    padded = draw(open_small_batch(model, rows=5, deterministic=True), request).images
    assert find_worst(padded, draw(open_small_batch(model), request).images) <= 1


def test_bfloat16_draws_almost_the_same(folder: Path, model: LoadedModel, pair: FlowPair) -> None:
    """It cannot count above 256 in steps of one, and this prompt is longer."""
    request = ask(pair, prompt=f"{LONG} " * 12, num_inference_steps=3)
    plain = draw(open_small_batch(model), request).images.astype(int)
    half = load(folder)
    cast(half.pipe, torch.bfloat16)
    assert half.family.encode(request.recipe)[0].num_tokens == 512
    drawn = draw(open_small_batch(half), request).images.astype(int)
    assert np.abs(drawn - plain).mean() < 10


def test_steps_are_not_captured_as_graphs(model: LoadedModel) -> None:
    hardware = replace(model.hardware, has_graphs=True)
    runner = ModelRunner(replace(model, hardware=hardware))
    assert type(runner._make_stepper(runner._make_slots(64, 64, 1))) is Stepper
    assert runner.pad(3, 8) is None


def test_enlarged_picture_is_drawn_and_decoded_in_tiles(folder: Path, tmp_path: Path) -> None:
    """Three times the native size."""
    copy = shutil.copytree(folder, tmp_path / "model")
    (copy / "triptych.json").write_text('{"native_size": 64}')
    model = load(copy)
    vae = model.pipe.vae
    decoded, encoded = note_sides(vae.decoder), note_sides(vae.encoder)
    request = make_request(
        prompt="",
        width=192,
        height=192,
        guidance_scale=1.0,
        sampler="euler",
        num_inference_steps=10,
        seeds=(5,),
        image=make_picture(192),
        strength=0.2,
        may_tile=True,
    )
    batch = open_small_batch(model)
    tiled = draw(batch, request).images
    assert (max(encoded), max(decoded)) == (64, 8)
    whole = draw(batch, make_copy(request, may_tile=False)).images
    assert max(decoded) == 24, "the VAE's own settings are back"
    assert tiled.shape == whole.shape == (1, 192, 192, 3)
    assert tiled.std() > 10
