"""A VAE that replaces the model's own, or that completes a checkpoint without one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.loading import load_model
from bot.errors import ConfigError
from tests.checkpoints import name_vae, write_single_file
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, open_batch
from tests.engine.models.test_checks import refuse
from tests.tiny_models import build_tiny_pipeline, edit_json, rename_weights


@pytest.fixture(scope="module")
def other() -> AutoencoderKL:
    """A VAE of the tiny model's shape with other weights."""
    return build_tiny_pipeline(seed=9).vae


@pytest.fixture
def vae(other: AutoencoderKL, tmp_path: Path) -> Path:
    other.save_pretrained(tmp_path / "vae")
    return tmp_path / "vae"


@pytest.fixture
def single(tmp_path: Path) -> Path:
    return write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")


def write_original(vae: AutoencoderKL, path: Path, prefix: str = "") -> Path:
    weights = {prefix + name: each.contiguous() for name, each in name_vae(vae).items()}
    save_file({**weights, "loss.logvar": torch.zeros(1)}, path)
    return path


def as_file(vae: Path, other: AutoencoderKL) -> Path:
    return write_original(other, vae.with_suffix(".safetensors"))


def as_part_of_a_checkpoint(vae: Path, other: AutoencoderKL) -> Path:
    return write_original(other, vae.with_suffix(".safetensors"), "first_stage_model.")


def as_file_of_diffusers(vae: Path, other: AutoencoderKL) -> Path:
    return vae / "diffusion_pytorch_model.safetensors"


def as_file_of_2022(vae: Path, other: AutoencoderKL) -> Path:
    path = vae / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(name: str) -> str:
        for new, early in old.items():
            name = name.replace(f".{new}.", f".{early}.")
        return name

    rename_weights(path, rename)
    return path


def as_folder(vae: Path, other: AutoencoderKL) -> Path:
    return vae


def as_model_folder(vae: Path, other: AutoencoderKL) -> Path:
    return vae.parent


def as_fp16_folder(vae: Path, other: AutoencoderKL) -> Path:
    whole = vae / "diffusion_pytorch_model.safetensors"
    whole.rename(whole.with_name("diffusion_pytorch_model.fp16.safetensors"))
    return vae


def draw_with(source: ModelSource) -> Any:
    check_model(source, thorough=True)
    request = make_request(seeds=(0,), num_inference_steps=2)
    return draw(open_batch(load_model(source)), request).images


@pytest.fixture(scope="module")
def expected(other: AutoencoderKL, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the pictures that the tiny model draws with the other VAE."""
    pipe = build_tiny_pipeline()
    pipe.vae = other
    folder = tmp_path_factory.mktemp("expected") / "model"
    pipe.save_pretrained(folder)
    return draw_with(ModelSource(str(folder), device="cpu"))


@pytest.mark.parametrize(
    "form",
    [
        as_file,
        as_part_of_a_checkpoint,
        as_file_of_diffusers,
        as_file_of_2022,
        as_folder,
        as_model_folder,
        as_fp16_folder,
    ],
)
def test_vae_in_each_form_takes_the_place_of_a_checkpoints(
    single: Path,
    tiny_model: Path,
    vae: Path,
    other: AutoencoderKL,
    expected: Any,
    form: Callable[[Path, AutoencoderKL], Path],
) -> None:
    source = ModelSource(
        str(single), model_config=str(tiny_model), vae=str(form(vae, other)), device="cpu"
    )
    assert "in place of the model's own" in check_model(source)[-1]
    assert np.array_equal(draw_with(source), expected)


@pytest.mark.parametrize("form", [as_file, as_folder])
def test_vae_takes_the_place_of_a_folders_which_may_be_missing(
    tiny_model: Path,
    tmp_path: Path,
    vae: Path,
    other: AutoencoderKL,
    expected: Any,
    form: Callable[[Path, AutoencoderKL], Path],
) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    place = form(vae, other)
    (model / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    assert np.array_equal(
        draw_with(ModelSource(str(model), vae=str(place), device="cpu")), expected
    )


def test_vae_helps_a_checkpoint_whose_own_is_damaged(
    single: Path, vae: Path, expected: Any, tiny_model: Path
) -> None:
    weights = load_file(single)
    weights["first_stage_model.decoder.conv_out.bias"][0] = float("nan")
    del weights["first_stage_model.decoder.conv_in.bias"]
    save_file(weights, single)
    source = ModelSource(str(single), model_config=str(tiny_model), vae=str(vae), device="cpu")
    assert np.array_equal(draw_with(source), expected)


def test_vae_is_given_to_a_checkpoint_that_has_none(
    single: Path, vae: Path, other: AutoencoderKL, expected: Any, tiny_model: Path, tmp_path: Path
) -> None:
    config = Path(shutil.copytree(tiny_model, tmp_path / "config"))
    for weights in config.rglob("*.safetensors"):
        weights.unlink()
    rename_weights(single, lambda name: None if name.startswith("first_stage") else name)
    source = ModelSource(str(single), model_config=str(config), device="cpu")
    assert "set VAE to one" in refuse(source)
    given = ModelSource(str(single), model_config=str(config), vae=str(vae), device="cpu")
    assert np.array_equal(draw_with(given), expected)


def spoil_scale(vae: Path) -> Path:
    edit_json(vae / "config.json", scaling_factor=0.13025)
    return vae


def spoil_kind(vae: Path) -> Path:
    edit_json(vae / "config.json", _class_name="AutoencoderTiny")
    return vae


def cut(vae: Path) -> Path:
    path = vae / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    return vae


def without_weights(vae: Path) -> Path:
    (vae / "diffusion_pytorch_model.safetensors").rename(vae / "diffusion_pytorch_model.bin")
    return vae


def rewrite(**changes: Any) -> Callable[[Path], Path]:
    def spoil(vae: Path) -> Path:
        path = vae / "diffusion_pytorch_model.safetensors"
        weights = load_file(path)
        for name, change in changes.items():
            weights[name.replace("__", ".")] = change
        save_file({name: each for name, each in weights.items() if each is not None}, path)
        return path

    return spoil


def as_pickle(vae: Path) -> Path:
    return vae / "vae.pt"


def as_nothing(vae: Path) -> Path:
    return vae / "gone.safetensors"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_scale, r"another kind of model \(scaling_factor is 0.13025, .* needs 0.18215\)"),
        (spoil_kind, "which holds AutoencoderTiny and not the AutoencoderKL"),
        (cut, "is incomplete"),
        (without_weights, "pickle files can run code"),
        (as_pickle, "pickle files can run code"),
        (as_nothing, "VAE names .*gone.safetensors, which is no VAE or does not exist: give a"),
        (lambda vae: vae.parent / "no such id", "which is no VAE or does not exist"),
        (rewrite(decoder__conv_in__weight=None), "holds no VAE of Stable Diffusion"),
        (
            rewrite(decoder__conv_in__weight=torch.zeros(32, 16, 3, 3)),
            "another kind of model .latent_channels is 16, and the model needs 4",
        ),
        (
            rewrite(decoder__conv_out__bias=None),
            "The VAE .* does not fit the model: of the .* weights of its vae, 1 are not there",
        ),
        (rewrite(decoder__conv_out__bias=torch.zeros(9)), "1 have another shape"),
        (rewrite(encoder__conv_out__bias=torch.zeros(8).byte()), "holds quantised weights"),
    ],
)
def test_vae_that_cannot_be_drawn_with_is_refused_by_doctor_as_by_the_start(
    tiny_model: Path, vae: Path, spoil: Callable[[Path], Path], words: str
) -> None:
    source = ModelSource(str(tiny_model), vae=str(spoil(vae)), device="cpu")
    assert re.search(words, refuse(source))


@pytest.mark.parametrize("is_folder", [True, False], ids=["folder", "file"])
def test_vae_with_no_numbers_is_refused_at_the_start(
    tiny_model: Path, vae: Path, is_folder: bool
) -> None:
    path = rewrite(decoder__conv_out__bias=torch.full((3,), float("nan")))(vae)
    place = vae if is_folder else path
    with pytest.raises(ConfigError, match="numbers in them that are none"):
        load_model(ModelSource(str(tiny_model), vae=str(place), device="cpu"))
