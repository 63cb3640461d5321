"""Loading from folders and single files: what works, and the messages for what does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.loading import _load_local, load_model
from bot.errors import ConfigError
from tests.checkpoints import write_single_file
from tests.engine.conftest import STARTER, make_request
from tests.engine.drawing import draw, open_batch
from tests.tiny_models import (
    build_tiny_model,
    build_tiny_pipeline,
    edit_json,
)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def assert_refused(source: ModelSource, words: str) -> None:
    """Check that both the quick check and loading refuse the model, with the same message."""
    for refuse in (check_model, load_model):
        with pytest.raises(ConfigError, match=words):
            refuse(source)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_everything_is_read_from_the_model_itself(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "wide", unet={"sample_size": [8, 20]})
    info = load_model(ModelSource(str(folder), device="cpu")).info
    assert (info.name, info.width, info.height, info.size_multiple) == ("wide", 40, 16, 8)
    assert info.max_tokens == 12
    assert (info.num_inference_steps, info.guidance_scale) == (50, 7.5)
    assert info.notes == ()


def test_starter_model_has_defaults_of_its_own() -> None:
    [line, _] = check_model(ModelSource(str(STARTER)))
    assert "diffusers folder with 28.6 MB" in line
    info = load_model(ModelSource(str(STARTER), device="cpu")).info
    assert (info.width, info.height, info.size_multiple, info.max_tokens) == (128, 128, 32, 32)


@pytest.mark.parametrize(
    ("width", "height"), [(32, 32), (40, 24)], ids=lambda side: f"{side} pixels"
)
def test_single_file_with_a_config_folder_draws_the_same_picture(
    model: Path, tmp_path: Path, width: int, height: int
) -> None:
    path = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    for weights in model.rglob("*.safetensors"):
        weights.unlink()  # only the small files of the folder are used
    source = ModelSource(str(path), model_config=str(model), device="cpu")
    [line] = check_model(source)
    assert f"small config files from {model}" in line
    single = load_model(source)
    assert single.info.name == "one"
    assert "no safety checker" in single.info.notes[0]
    folder = build_tiny_model(tmp_path / "same")
    request = make_request(width=width, height=height)
    pictures = [
        draw(open_batch(m), request).images
        for m in (single, load_model(ModelSource(str(folder), device="cpu")))
    ]
    assert np.array_equal(*pictures)


def test_model_without_fp16_variant_is_cast_and_noted(tiny_model: Path) -> None:
    loaded = _load_local(ModelSource(str(tiny_model)), torch.float16)
    assert loaded.family.pipe.unet.dtype == loaded.family.pipe.text_encoder.dtype == torch.float16
    assert "no fp16 variant" in loaded.notes[0]


def test_fp16_variant_is_taken_where_there_is_one(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "model", variant="fp16")
    loaded = _load_local(ModelSource(str(folder)), torch.float16)
    assert loaded.notes == ()
    on_cpu = _load_local(ModelSource(str(folder)), torch.float32)  # the only files there are
    assert on_cpu.family.pipe.unet.dtype == on_cpu.family.pipe.text_encoder.dtype == torch.float32


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: (m / "model_index.json").unlink(), "has no model_index.json.*whole diffusers"),
        (
            lambda m: edit_json(m / "model_index.json", _class_name="StableDiffusionXLPipeline"),
            "names no text_encoder_2, without which nothing can be drawn",
        ),
        (
            lambda m: edit_json(m / "model_index.json", _class_name="PixArtSigmaPipeline"),
            "it is a model of PixArt.*Stable Diffusion 1.x and 2.x, Stable Diffusion XL",
        ),
        (
            lambda m: edit_json(m / "unet" / "config.json", addition_embed_type="text_time"),
            "asks for more than a prompt",
        ),
        (lambda m: edit_json(m / "unet" / "config.json", in_channels=9), "9 channels.*inpainting"),
        (lambda m: (m / "unet" / "config.json").unlink(), r"unet/config.json is not there"),
        (lambda m: (m / "unet" / "config.json").write_text("[1]"), "no JSON object"),
        (
            lambda m: cut_in_half(m / "unet" / "diffusion_pytorch_model.safetensors"),
            r"is incomplete \(\d+ of \d+ bytes\): copy or download it again",
        ),
        (
            lambda m: (m / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"junk" * 9),
            "is broken.*copy or download it again",
        ),
        (
            lambda m: (m / "text_encoder" / "model.safetensors").unlink(),
            "text_encoder holds no .safetensors weights",
        ),
        (
            lambda m: (m / "vae" / "diffusion_pytorch_model.safetensors").rename(
                m / "vae" / "diffusion_pytorch_model.bin"
            ),
            r"diffusion_pytorch_model.bin is a pickle file; pickle files can run code.*convert",
        ),
    ],
)
def test_spoiled_folder_is_refused_with_the_remedy(
    model: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(model)
    assert_refused(ModelSource(str(model), device="cpu"), words)


@pytest.mark.parametrize("suffix", ["ckpt", "pt", "pth", "bin", "CKPT"])
def test_pickle_checkpoint_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(b"never opened")
    assert_refused(ModelSource(str(path), device="cpu"), "pickle files can run code.*convert")


@pytest.mark.parametrize(
    "name", ["no/such/folder", "gone.safetensors", "/gone", "just-a-name", "two--dashes/a..b"]
)
def test_path_that_is_not_there_is_named(name: str) -> None:
    assert_refused(ModelSource(name, device="cpu"), f"MODEL names {name}, which does not exist")


def test_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert_refused(ModelSource(str(path), device="cpu"), "notes.txt, which is no model")


def test_spoiled_single_file_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    path = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    cut_in_half(path)
    source = ModelSource(str(path), model_config=str(tiny_model), device="cpu")
    assert_refused(source, "one.safetensors is incomplete")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"something.weight": (1,)}, "no Stable Diffusion UNet inside"),
        (
            {
                "model.diffusion_model.input_blocks.0.0.weight": (8, 9, 3, 3),
                "model.diffusion_model.out.2.weight": (4, 8, 3, 3),
            },
            "9 channels, as for inpainting",
        ),
    ],
)
def test_single_file_of_another_family_is_refused(
    tmp_path: Path, weights: dict[str, tuple[int, ...]], words: str
) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in weights.items()}, path)
    assert_refused(ModelSource(str(path), device="cpu"), words)


def test_config_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")
    source = ModelSource(str(path), model_config=str(tmp_path / "gone"), device="cpu")
    assert_refused(source, "MODEL_CONFIG names .*gone, which is no folder")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA GPU")
def test_cuda_without_a_gpu_is_refused_and_auto_means_the_cpu(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="finds no NVIDIA GPU: install the NVIDIA driver"):
        load_model(ModelSource(str(tiny_model), device="cuda"))
    assert load_model(ModelSource(str(tiny_model), device="auto")).info.device == "cpu"


def test_full_gpu_is_told_in_plain_words(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(*args: object, **kwargs: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(torch.nn.Module, "to", overflow)
    with pytest.raises(ConfigError, match="does not fit into the free memory of the GPU"):
        load_model(ModelSource(str(tiny_model), device="cpu"))
