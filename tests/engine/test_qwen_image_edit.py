"""Qwen-Image-Edit draws what its pipelines draw, beside others too, and nothing but edits.

The pipelines are corrected in one point: see ``tell_pictures_apart``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from PIL import Image

from bot.engine import ModelSource
from bot.engine.capacity.capacity import Capacity
from bot.engine.models import qwen_image_edit
from bot.engine.models.checks import check_model
from bot.engine.models.loading import load_model
from bot.errors import ConfigError, GenerationRejected
from tests.engine.drawing import ignore
from tests.engine.flow_pair import FlowPair
from tests.engine.test_editing import EDIT, OTHER, PICTURE, WIDE
from tests.engine.test_flow_families import LONG, ask
from tests.tiny_families.qwen_edit import EDITORS
from tests.tiny_models import edit_json


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring pictures to 128 x 128 pixels instead of 1024 x 1024, which would take minutes."""
    for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus, qwen_image_edit):
        own = module.calculate_dimensions
        smaller: Any = lambda area, ratio, own=own: own(area // 64, ratio)  # noqa: E731
        monkeypatch.setattr(module, "calculate_dimensions", smaller)


@pytest.fixture(scope="module")
def open_pair(tiny_family: Callable[[str], Path]) -> Callable[[str], FlowPair]:
    return cache(lambda name: FlowPair(tiny_family(name)))


@pytest.fixture(params=EDITORS)
def pair(request: pytest.FixtureRequest, open_pair: Callable[[str], FlowPair]) -> FlowPair:
    return open_pair(request.param)


@pytest.mark.parametrize(
    "changes",
    [
        {"negative_prompt": "blurry"},
        {"guidance_scale": 1.0, "num_inference_steps": 3},
        {"seeds": (1, 2), "sampler": "unipc"},
        {"image": WIDE, "width": 96, "prompt": LONG},
    ],
    ids=["guided", "unguided", "seeds", "wide"],
)
def test_edit_is_what_the_pipeline_draws(pair: FlowPair, changes: dict[str, object]) -> None:
    pair.check([ask(pair, **EDIT | changes)])


def test_edits_of_different_people_do_not_mix(pair: FlowPair) -> None:
    pair.check(
        [
            ask(pair, 1, **EDIT),
            ask(pair, 2, **EDIT | {"image": OTHER, "guidance_scale": 2.0, "seeds": (3,)}),
            ask(pair, 3, **EDIT | {"prompt": "put a dog in", "sampler": "lcm"}),
            ask(pair, 4, **EDIT | {"image": WIDE, "width": 96, "num_inference_steps": 3}),
            ask(pair, 5, **EDIT | {"guidance_scale": 1.0, "negative_prompt": "sea"}),
        ],
        cancelled=[ask(pair, 9, **EDIT | {"image": OTHER, "num_inference_steps": 20})],
    )


def test_instructions_of_different_lengths_share_a_step(pair: FlowPair) -> None:
    batch = pair.batch
    for number, prompt in enumerate(("make it winter", "give the old dog a red hat"), 1):
        batch.join(ask(pair, number, **EDIT | {"prompt": prompt}), ignore)
    assert [len(group.drawings) for group in batch._groups if group.drawings] == [2]
    for drawing in batch.drawings:
        batch.leave(drawing)


def test_small_edit_costs_what_its_large_reference_takes(pair: FlowPair) -> None:
    request = ask(pair, **EDIT | {"num_inference_steps": 1000})
    small, native = request.recipe, replace(request.recipe, width=1024, height=1024)
    costs = pair.batch.runner.cost_model
    assert costs.info.reference_pixels == 1024 * 1024
    assert costs.estimate(small) > 0.5 * costs.estimate(native)
    capacity = Capacity(pair.info, 48)
    assert capacity.share(small) > 0.5 * capacity.share(native)
    drawing = pair.batch.join(request, ignore)
    [group] = [group for group in pair.batch._groups if group.drawings]
    width, height = pair.batch._measure_load(pair.batch._groups[group])
    assert width * height == 64 * 64 + 128 * 128
    pair.batch.leave(drawing)


def test_text_is_encoded_once_for_each_picture(
    pair: FlowPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, runs = pair.family.pipe.text_encoder, []
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda **inputs: (runs.append(1), forward(**inputs))[1])
    pair.family.forget()
    recipe = ask(pair, **EDIT | {"guidance_scale": 1.0}).recipe
    pictures = (PICTURE, OTHER, PICTURE.copy())
    rows = [pair.family.editor.encode(recipe, Image.fromarray(each))[0] for each in pictures]
    first, other, same = (row.tensors["embeds"] for row in rows)
    assert len(runs) == 2
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)


def test_model_that_only_edits_refuses_a_prompt(pair: FlowPair) -> None:
    assert pair.info.edits
    assert pair.info.only_edits
    for request in (ask(pair), ask(pair, image=OTHER, strength=0.6)):
        with pytest.raises(GenerationRejected, match="only changes pictures"):
            pair.batch.join(request, ignore)


def test_placeholders_in_an_instruction_are_no_pictures(pair: FlowPair) -> None:
    typed = "a <|image_pad|> or <|<|image_pad|>image_pad|> or <|video_pad|>"
    plain = "a   or <| image_pad|> or  "
    encode, picture = pair.family.editor.encode, Image.fromarray(PICTURE)
    rows = [
        encode(ask(pair, **EDIT | {"prompt": each}).recipe, picture)[0] for each in (typed, plain)
    ]
    assert torch.equal(*(row.tensors["embeds"] for row in rows))


def test_file_of_the_transformer_edits_with_the_rest_of_an_editing_model(
    tiny_family: Callable[[str], Path],
) -> None:
    folder = tiny_family("qwen_image_edit_2511")
    file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    source = ModelSource(str(file), model_config=str(folder), device="cpu")
    assert "a transformer of Qwen-Image" in check_model(source)[0]
    model = load_model(source)
    assert model.info.only_edits
    assert model.family.network.config.zero_cond_t
    with pytest.raises(ConfigError, match=r"names a model of FLUX\.1: name the model"):
        check_model(replace(source, model_config=str(tiny_family("flux"))))


def test_files_are_checked(tiny_family: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_family("qwen_image_edit_2511"), tmp_path / "model"))
    source = ModelSource(str(folder))
    assert "a diffusers folder" in check_model(source, thorough=True)[0]
    edit_json(folder / "transformer" / "config.json", use_layer3d_rope=True)
    with pytest.raises(ConfigError, match="transparent layers"):
        check_model(source)
    edit_json(folder / "transformer" / "config.json", use_layer3d_rope=False)
    (folder / "processor" / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"processor/preprocessor_config\.json"):
        check_model(source)
