"""``triptych.json`` has the owner's facts about a model, in its folder or beside its file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.defaults import Defaults, Traits, read_defaults
from bot.engine.models.loading import load_model
from bot.errors import ConfigError
from tests.checkpoints import write_single_file
from tests.engine.models.test_checks import refuse
from tests.tiny_models import build_tiny_pipeline

EVERYTHING = {
    "name": "mine",
    "num_inference_steps": 8,
    "guidance_scale": 2,
    "prediction_type": "v",
    "native_size": [96, 64],
}


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_is_not_said_stays_as_it_is(tmp_path: Path) -> None:
    assert read_defaults(tmp_path, "someone/model") == Defaults("model")
    write(tmp_path / "triptych.json", {"num_inference_steps": 8})
    assert read_defaults(tmp_path, "someone/model") == Defaults("model", 8)
    write(tmp_path / "triptych.json", {"native_size": 768})
    assert read_defaults(tmp_path, "x").traits == Traits(size=(768, 768))
    write(tmp_path / "triptych.json", EVERYTHING)
    traits = Traits("v_prediction", size=(96, 64))
    assert read_defaults(tmp_path, "x") == Defaults("mine", 8, 2.0, traits=traits)


def test_own_file_of_a_checkpoint_comes_before_the_folders(tmp_path: Path) -> None:
    model = str(tmp_path / "one.v2.safetensors")
    assert read_defaults(None, model) == Defaults("one.v2")
    write(tmp_path / "triptych.json", {"guidance_scale": 5})
    assert read_defaults(None, model) == Defaults("one.v2", guidance_scale=5)
    write(tmp_path / "one.v2.triptych.json", {"num_inference_steps": 4})
    assert read_defaults(None, model) == Defaults("one.v2", num_inference_steps=4)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"name": 7}, "name is no text"),
        ({"name": " "}, "name is no text"),
        ({"num_inference_steps": "a"}, "num_inference_steps is 'a'"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0"),
        ({"num_inference_steps": True}, "num_inference_steps is True"),
        ({"guidance_scale": float("nan")}, "guidance_scale is nan"),
        ({"guidance_scale": -1}, "guidance_scale is -1"),
        ({"prediction_type": "x"}, "prediction_type is 'x'"),
        ({"prediction_type": []}, r"prediction_type is \[\]"),
        ({"native_size": 500}, "native_size is 500"),
        ({"native_size": [64, 64, 64]}, r"native_size is \[64, 64, 64\]"),
        ({"native_size": 8192}, "native_size is 8192"),
        ({"predicton_type": "v"}, "predicton_type is none of them"),
        ("[1]", "is no JSON object"),
        ("{", "no JSON in it"),
    ],
)
def test_faulty_file_is_named_with_what_it_may_hold(
    tmp_path: Path, content: Any, words: str
) -> None:
    path = write(tmp_path / "triptych.json", content)
    with pytest.raises(ConfigError, match=words) as caught:
        read_defaults(tmp_path, "model")
    assert str(caught.value).startswith(f"{path} must be a JSON object of any of these: name")


def test_doctor_refuses_it_as_the_start_does(tiny_model: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write(model / "triptych.json", {"steps": 3})
    assert "steps is none of them" in refuse(ModelSource(str(model), device="cpu"))


def test_owner_knows_better_than_the_files(tiny_model: Path, tmp_path: Path) -> None:
    single = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    write(tmp_path / "one.triptych.json", EVERYTHING)
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write(model / "triptych.json", EVERYTHING)
    for source in (
        ModelSource(str(single), model_config=str(tiny_model), device="cpu"),
        ModelSource(str(model), device="cpu"),
    ):
        loaded = load_model(source)
        info = loaded.info
        assert (info.name, info.num_inference_steps, info.guidance_scale) == ("mine", 8, 2.0)
        assert (info.width, info.height) == (96, 64)
        assert loaded.pipe.scheduler.config["prediction_type"] == "v_prediction"
    line = check_model(ModelSource(str(single), model_config=str(tiny_model), device="cpu"))[0]
    assert "v-prediction (triptych.json says so), 96×64 pixels" in line


def test_native_size_that_the_unet_cannot_halve_is_refused(tmp_path: Path) -> None:
    four = {
        "block_out_channels": (16, 32, 32, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    }
    pipe = build_tiny_pipeline(unet=four)
    pipe.save_pretrained(tmp_path / "model")
    write(tmp_path / "model" / "triptych.json", {"native_size": 72})
    text = refuse(ModelSource(str(tmp_path / "model"), device="cpu"))
    assert "does not fit this model, which draws multiples of 16 pixels" in text


def test_what_models_file_says_counts_before_triptych_json(
    tiny_model: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write(model / "triptych.json", {**EVERYTHING, "sampler": "ddim"})
    plain = load_model(ModelSource(str(model), device="cpu", id="tiny")).info
    assert (plain.id, plain.name, plain.num_inference_steps) == ("tiny", "mine", 8)
    assert plain.default_sampler == "ddim"
    source = ModelSource(
        str(model),
        device="cpu",
        id="tiny",
        label="Tiny model",
        num_inference_steps=5,
        guidance_scale=0.0,
        sampler="euler",
        size=(64, 32),
        sizes=((64, 32), (32, 64)),
        licence="Only for the club",
    )
    info = load_model(source).info
    assert (info.id, info.name, info.licence) == ("tiny", "Tiny model", "Only for the club")
    assert (info.num_inference_steps, info.guidance_scale) == (5, 0.0)
    assert (info.default_sampler, info.samplers[0]) == ("euler", "euler")
    assert (info.width, info.height, info.sizes) == (64, 32, ((64, 32), (32, 64)))
