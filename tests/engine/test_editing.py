"""Families that edit by instruction draw what their pipelines draw, beside others too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.errors import GenerationRejected
from tests.engine.drawing import ignore
from tests.engine.flow_pair import FlowPair
from tests.engine.test_flow_families import ask

NAMES = ("flux2", "flux_kontext")
PICTURE = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
OTHER = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
WIDE = np.random.default_rng(3).integers(0, 256, (64, 96, 3), dtype=np.uint8)
EDIT = {"edited": True, "image": PICTURE, "prompt": "make it winter"}


@pytest.fixture(scope="module")
def open_pair(
    tiny_family: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], FlowPair]:
    def open_one(name: str) -> FlowPair:
        if name != "flux_kontext":
            return FlowPair(tiny_family(name))
        folder = tmp_path_factory.mktemp("kontext") / "model"
        shutil.copytree(tiny_family("flux"), folder)
        edit_index(folder, _class_name="FluxKontextPipeline")
        return FlowPair(folder)

    return cache(open_one)


def edit_index(folder: Path, **values: object) -> None:
    index = folder / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | values))


@pytest.fixture(params=NAMES)
def pair(request: pytest.FixtureRequest, open_pair: Callable[[str], FlowPair]) -> FlowPair:
    return open_pair(request.param)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"guidance_scale": 1.0, "num_inference_steps": 3},
        {"seeds": (1, 2), "sampler": "unipc"},
        {"image": WIDE, "width": 96},
    ],
    ids=["guided", "unguided", "seeds", "wide"],
)
def test_edit_is_what_the_pipeline_draws(pair: FlowPair, changes: dict[str, object]) -> None:
    pair.check([ask(pair, **EDIT | changes)])


def test_edits_of_different_people_and_other_pictures_do_not_mix(pair: FlowPair) -> None:
    pair.check(
        [
            ask(pair, 1, **EDIT),
            ask(pair, 2, **EDIT | {"image": OTHER, "guidance_scale": 2.0, "seeds": (3,)}),
            ask(pair, 3, prompt="make it winter"),
            ask(pair, 4, image=OTHER, strength=0.6),
            ask(pair, 5, **EDIT | {"image": WIDE, "width": 96, "num_inference_steps": 3}),
        ],
        cancelled=[ask(pair, 9, **EDIT | {"image": OTHER, "num_inference_steps": 20})],
    )


def test_edits_of_one_size_share_a_step(pair: FlowPair) -> None:
    batch = pair.batch
    for number, picture in enumerate((PICTURE, OTHER), 1):
        batch.join(ask(pair, number, **EDIT | {"image": picture}), ignore)
    assert [len(group.drawings) for group in batch._groups if group.drawings] == [2]
    plain = batch.join(ask(pair, 3), ignore)
    assert sorted(len(group.drawings) for group in batch._groups if group.drawings) == [1, 2]
    costs = batch.runner.cost_model
    edit, usual = (costs.estimate(each.request.recipe) for each in (batch.drawings[0], plain))
    assert 1.5 * usual < edit < 2 * usual
    assert batch.capacity.share(batch.drawings[0].request.recipe) == pytest.approx(
        2 * batch.capacity.share(plain.request.recipe)
    )
    for drawing in batch.drawings:
        batch.leave(drawing)


def test_large_reference_is_made_smaller_as_in_the_pipeline(
    open_pair: Callable[[str], FlowPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = open_pair("flux2")
    limit = 48 * 48
    editor = pair.family.editor
    assert editor.max_pixels == 1024 * 1024
    monkeypatch.setattr(editor, "max_pixels", limit)
    processor = pair.alone.image_processor
    shrink = processor._resize_to_target_area
    monkeypatch.setattr(processor, "_resize_to_target_area", lambda image, _: shrink(image, limit))
    reference = editor.encode(ask(pair, **EDIT).recipe, Image.fromarray(PICTURE))[0].tensors[
        "reference"
    ]
    shrunk = shrink(Image.fromarray(PICTURE), limit)
    assert reference.shape[1:] == tuple(side // 16 for side in reversed(shrunk.size))


def test_distilled_model_edits_without_guidance(
    tiny_family: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_family("flux2"), tmp_path / "klein"))
    edit_index(folder, is_distilled=True)
    pair = FlowPair(folder)
    assert pair.info.edits
    pair.check([ask(pair, **EDIT)])


def test_edit_is_rejected_without_a_picture_and_by_families_that_cannot_edit(
    open_pair: Callable[[str], FlowPair],
) -> None:
    with pytest.raises(GenerationRejected):
        pair = open_pair("flux2")
        pair.batch.join(ask(pair, edited=True), ignore)
    other = open_pair("sd3")
    assert not other.info.edits
    with pytest.raises(GenerationRejected, match="cannot edit"):
        other.batch.join(ask(other, **EDIT), ignore)
