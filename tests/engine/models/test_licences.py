"""The licence of a model is found in MODELS_FILE, triptych.json, its card or its file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from bot.engine import ModelSource, check_model, read_licence
from bot.engine.models.loading import load_model
from bot.ops.resources import get_starter_model_folder

CARD = "---\nlicense: {}\ntags:\n- x\n---\n# A model\nlicense: of the text\n"


def write_card(folder: Path, content: str | bytes) -> ModelSource:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "README.md").write_bytes(data)
    return ModelSource(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("content", "licence"),
    [
        (CARD.format("apache-2.0"), "apache-2.0"),
        (CARD.format("other\nlicense_name: flux-1-dev\nlicense_link: x"), "flux-1-dev"),
        (CARD.format("other"), "other"),
        (CARD.format("mit\nlicense_name: of another"), "mit"),
        (CARD.format("[mit, apache-2.0]"), "mit, apache-2.0"),
        (CARD.format('"a\\nb"'), "a b"),
        (CARD.format("x" * 1000), "x" * 200),
        (CARD.format("{a: 1}"), ""),
        (CARD.format("[mit, [of, no, use]]"), "mit"),
        (CARD.format("[unclosed"), ""),
        (CARD.format("7"), ""),
        ("# A card without a head\nlicense: mit\n", ""),
        ("---\n- a list\n---\n", ""),
        ("---\n---\n", ""),
        ("", ""),
        (b"\xff\xfe---", ""),
        (CARD.format("mit") + "x" * 1_000_000, ""),
    ],
)
def test_licence_of_a_card(tmp_path: Path, content: str | bytes, licence: str):
    assert read_licence(write_card(tmp_path, content)) == licence


def test_owner_counts_before_the_card(tmp_path: Path):
    source = write_card(tmp_path, CARD.format("apache-2.0"))
    (tmp_path / "triptych.json").write_text(json.dumps({"licence": "My own terms"}))
    assert read_licence(source) == "My own terms"
    assert read_licence(ModelSource(str(tmp_path), licence="Of the file")) == "Of the file"


def test_single_file_may_name_its_licence_in_its_header(tmp_path: Path):
    import numpy as np

    path = tmp_path / "one.safetensors"
    assert read_licence(ModelSource(str(path))) == ""
    save_file({"a": np.zeros(1)}, path, {"modelspec.license": "CreativeML OpenRAIL-M"})
    assert read_licence(ModelSource(str(path))) == "CreativeML OpenRAIL-M"
    (tmp_path / "one.triptych.json").write_text('{"licence": "mit"}')
    assert read_licence(ModelSource(str(path))) == "mit"
    path.write_bytes(b"damaged")
    assert read_licence(ModelSource(str(tmp_path / "two.safetensors"))) == ""


def test_model_that_is_not_here_yet_has_no_licence(tmp_path: Path):
    for model in ("someone/model", str(tmp_path / "gone"), "?"):
        assert read_licence(ModelSource(model)) == ""


def test_starter_model_has_the_licence_of_the_project():
    [_, licence] = check_model(ModelSource(str(get_starter_model_folder()), device="cpu"))
    assert licence == "its licence, MIT, allows all uses"


def test_start_and_doctor_say_what_is_not_allowed(tiny_model: Path, tmp_path: Path):
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    source = write_card(folder, CARD.format("cc-by-nc-4.0"))
    sentence = "ts licence, cc-by-nc-4.0, is for non-commercial use only"
    assert f"i{sentence}" in check_model(source)
    info = load_model(source).info
    assert info.licence == "cc-by-nc-4.0"
    assert f"model: I{sentence}." in info.notes
    info = load_model(ModelSource(str(folder), device="cpu", licence="MIT")).info
    assert info.licence == "MIT"
    assert not [note for note in info.notes if "licence" in note]
