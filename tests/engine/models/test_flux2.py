"""What is special about FLUX.2 klein. The usual cases are in tests/engine/test_flow_families.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.errors import ConfigError
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, load, open_batch
from tests.engine.flow_pair import FlowPair
from tests.engine.test_flow_families import IMAGE, ask
from tests.tiny_models import edit_json

TINY = "flux2"
"""The name of the tiny model."""


@pytest.fixture(scope="module")
def pair(tiny_family: Callable[[str], Path]) -> FlowPair:
    return FlowPair(tiny_family(TINY))


@pytest.fixture
def copy(tiny_family: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_family(TINY), tmp_path / "klein"))


def note_rows(pair: FlowPair) -> list[int]:
    """Record the number of rows in each call of the network."""
    rows: list[int] = []
    pair.family.network.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    return rows


def test_distilled_model_takes_four_steps_and_one_row(copy: Path) -> None:
    """As in its pipeline, guidance and a negative prompt change nothing."""
    edit_json(copy / "model_index.json", is_distilled=True)
    pair = FlowPair(copy)
    assert (pair.info.num_inference_steps, pair.info.guidance_scale) == (4, 1.0)
    assert pair.info.is_distilled
    assert pair.info.count_rows(4.0) == 1
    rows = note_rows(pair)
    pair.check([ask(pair, guidance_scale=4.0, negative_prompt="sea")])
    assert set(rows) == {1}


def test_undistilled_model_takes_two_rows_above_a_guidance_of_one(pair: FlowPair) -> None:
    assert (pair.info.num_inference_steps, pair.info.guidance_scale) == (50, 4.0)
    assert not pair.info.is_distilled
    for scale, expected in ((1.0, 1), (1.1, 2)):
        rows = note_rows(pair)
        pair.check([ask(pair, guidance_scale=scale, num_inference_steps=2)])
        assert set(rows) == {expected}


def test_shift_depends_on_size_and_steps(pair: FlowPair) -> None:
    recipes = [
        ask(pair, num_inference_steps=steps, width=side, height=side).recipe
        for side, steps in ((512, 4), (1024, 4), (1024, 50), (2048, 50))
    ]
    found = [pair.family.schedule(recipe).mu for recipe in recipes]
    assert found == pytest.approx([2.0307, 2.2912, 2.0234, 3.23], abs=1e-4)


def test_text_is_cut_at_512_tokens_of_the_chat(pair: FlowPair) -> None:
    pair.check_cut_words(ask(pair, prompt="dog " * 600 + "cat").recipe)
    assert pair.family.encode(ask(pair, prompt="dog " * 400).recipe)[0].cut_words == ""


def test_cut_words_of_a_negative_prompt_are_told_too(pair: FlowPair) -> None:
    uncond = pair.family.encode(ask(pair, negative_prompt="hat " * 600).recipe)[1]
    assert uncond.cut_words.startswith("hat")


@pytest.mark.parametrize(
    ("part", "changes", "fault"),
    [
        ("transformer", {"guidance_embeds": True}, r"FLUX\.2 \[dev\]"),
        ("transformer", {"in_channels": 32}, "takes latents of 32 channels"),
        ("transformer", {"out_channels": 8}, "takes 16 channels and predicts 8"),
        ("", {"_class_name": "Flux2Pipeline"}, r"FLUX\.2 other than klein"),
    ],
)
def test_other_kinds_are_refused(
    copy: Path, part: str, changes: dict[str, object], fault: str
) -> None:
    edit_json(copy / part / ("config.json" if part else "model_index.json"), **changes)
    with pytest.raises(ConfigError, match=fault):
        check_model(ModelSource(str(copy)))


def test_bfloat16_draws_nearly_the_same(tiny_family: Callable[[str], Path]) -> None:
    pictures = []
    for dtype in (torch.float32, torch.bfloat16):
        pair = FlowPair(tiny_family(TINY), dtype)
        request = ask(pair, num_inference_steps=2)
        pictures.append(pair.draw([request])[1][1].astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() < 8


def test_enlarged_picture_is_drawn_in_tiles_by_the_vae_too(copy: Path) -> None:
    (copy / "triptych.json").write_text('{"native_size": 64}')
    model = load(copy)
    batch, sides = open_batch(model), set()
    for part in (model.pipe.vae.encoder, model.pipe.vae.decoder):
        part.register_forward_pre_hook(lambda module, args: sides.add((module, args[0].shape[-1])))
    request = make_request(
        prompt="",
        width=192,
        height=192,
        guidance_scale=1.0,
        sampler="euler",
        num_inference_steps=4,
        seeds=(5,),
        image=IMAGE,
        strength=0.2,
        may_tile=True,
    )
    picture = draw(batch, request).images
    assert picture.shape == (1, 192, 192, 3)
    assert max(side for part, side in sides if part is model.pipe.vae.encoder) == 64
    assert max(side for part, side in sides if part is model.pipe.vae.decoder) == 8
