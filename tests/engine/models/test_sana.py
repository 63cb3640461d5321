"""What is special about Sana. The usual cases are in tests/engine/test_flow_families.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import SanaTransformer2DModel

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.errors import ConfigError
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, load, open_batch
from tests.engine.flow_pair import FlowPair
from tests.engine.test_flow_families import IMAGE, ask
from tests.tiny_families.parts import fill
from tests.tiny_models import edit_json

TINY = "sana"
"""The name of the tiny model."""


@pytest.fixture(scope="module")
def pair(tiny_family: Callable[[str], Path]) -> FlowPair:
    return FlowPair(tiny_family(TINY))


@pytest.fixture
def copy(tiny_family: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_family(TINY), tmp_path / "sana"))


def test_only_the_prompt_has_the_instruction_even_if_both_texts_are_equal(pair: FlowPair) -> None:
    request = ask(pair, prompt="A Dog ", negative_prompt="A Dog ")
    cond, uncond = pair.family.encode(request.recipe)
    assert not torch.equal(cond.tensors["embeds"], uncond.tensors["embeds"])
    pair.check([request])


def test_text_that_the_mask_hides_changes_nothing(pair: FlowPair) -> None:
    [cond, _] = pair.family.encode(ask(pair).recipe)
    rows = {name: each[None] for name, each in cond.tensors.items()}
    latents, times = torch.randn(1, 4, 2, 2).double(), torch.tensor([500.0])
    hidden = rows["mask"] == 0
    assert 0 < hidden.sum() < 300
    first, changed, without = (
        pair.family.predict(pair.family.network, latents, times, each)
        for each in (
            rows,
            {**rows, "embeds": rows["embeds"].masked_fill(hidden[..., None], 7.0)},
            {name: each[:, ~hidden[0]] for name, each in rows.items()},
        )
    )
    torch.testing.assert_close(changed, first, rtol=0, atol=1e-9)
    torch.testing.assert_close(without, first, rtol=0, atol=1e-6)


def test_time_is_scaled_as_the_config_says(copy: Path) -> None:
    edit_json(copy / "transformer" / "config.json", timestep_scale=0.25)
    pair = FlowPair(copy)
    pair.check([ask(pair)])


def test_model_that_also_predicts_a_variance_draws_what_its_pipeline_draws(copy: Path) -> None:
    config = SanaTransformer2DModel.load_config(copy / "transformer")
    transformer = SanaTransformer2DModel.from_config({**config, "out_channels": 8})
    fill(transformer, 27).save_pretrained(copy / "transformer")
    pair = FlowPair(copy)
    pair.check([ask(pair)])


@pytest.mark.parametrize(
    ("sample_size", "side", "portrait"),
    [(32, 1024, (832, 1216)), (16, 512, (416, 608)), (128, 4096, (3328, 4864))],
)
def test_size_is_the_one_that_the_model_was_trained_with(
    copy: Path, sample_size: int, side: int, portrait: tuple[int, int]
) -> None:
    edit_json(copy / "transformer" / "config.json", sample_size=sample_size)
    info = load(copy).info
    assert (info.width, info.height) == info.sizes[0] == (side, side)
    assert portrait in info.sizes
    assert all(length % info.size_multiple == 0 for size in info.sizes for length in size)


@pytest.mark.parametrize("side", [96, 80])
def test_native_size_of_the_owner_is_a_multiple_of_32(copy: Path, side: int) -> None:
    (copy / "triptych.json").write_text(f'{{"native_size": {side}}}')
    if side % 32:
        with pytest.raises(ConfigError, match="multiples of 32 pixels"):
            load(copy)
    else:
        assert load(copy).info.width == side


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_text_is_cut_at_300_tokens(pair: FlowPair, field: str) -> None:
    """One is the beginning. The instruction ends in a space, which becomes part of the prompt."""
    for num_tokens in (299, 302):
        text = "a" + " a" * (num_tokens - 2) + " A"
        assert len(pair.alone.tokenizer(text).input_ids) == 1 + num_tokens
        rows = pair.family.encode(ask(pair, **{field: text}).recipe)
        row = rows[0 if field == "prompt" else 1]
        assert row.cut_words == ("a a A" if num_tokens == 302 else "")
    pair.check_cut_words(ask(pair, prompt="dog " * 400 + "cat").recipe)


@pytest.mark.parametrize(
    ("part", "changes", "fault"),
    [
        ("transformer", {"guidance_embeds": True}, "Sana-Sprint"),
        ("transformer", {"in_channels": 8, "out_channels": 8}, "takes latents of 8 channels"),
        ("transformer", {"out_channels": 5}, "takes 4 channels and predicts 5"),
        ("", {"_class_name": "SanaSprintPipeline"}, "a model of Sana-Sprint"),
        ("", {"_class_name": "SanaControlNetPipeline"}, "its pipeline is SanaControlNetPipeline"),
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
    batch, vae, sides = open_batch(model), model.pipe.vae, set()
    own = vae.tile_sample_min_width, vae.tile_sample_stride_height, vae.tile_latent_min_width
    for part in (vae.encoder, vae.decoder):
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
    assert draw(batch, request).images.shape == (1, 192, 192, 3)
    assert max(side for part, side in sides if part is vae.encoder) == 64
    assert max(side for part, side in sides if part is vae.decoder) == 2
    assert own == (
        vae.tile_sample_min_width,
        vae.tile_sample_stride_height,
        vae.tile_latent_min_width,
    )
    assert not vae.use_tiling
