"""Files that hold only a flow model's transformer, as GGUF or safetensors."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.quantizers.gguf.utils import SUPPORTED_GGUF_QUANT_TYPES
from safetensors.torch import save_file

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.families import FAMILIES
from bot.engine.models.gguf_files import READABLE, read_gguf
from bot.engine.models.loading import load_model
from bot.errors import ConfigError
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, open_batch
from tests.engine.models.test_checks import refuse
from tests.gguf_writer import name_as_published, read_transformer, write_gguf
from tests.tiny_families import FAMILIES as TINY


@pytest.fixture(scope="module")
def folder(tiny_family: Callable[[str], Path]) -> Path:
    return tiny_family("sd3")


@pytest.fixture(scope="module")
def weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_transformer(folder)


@pytest.fixture(scope="module")
def rest(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same model without the transformer's weights."""
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("rest") / "sd3"))
    for path in (copy / "transformer").glob("*.safetensors"):
        path.unlink()
    return copy


def picture(model: Path, config: Path | None = None) -> np.ndarray:
    loaded = load_model(source_of(model, config))
    request = make_request(
        width=64, height=64, seeds=(7,), num_inference_steps=3, sampler="euler", guidance_scale=4.0
    )
    return draw(open_batch(loaded), request).images[0].astype(int)


def source_of(model: Path, config: Path | str | None) -> ModelSource:
    return ModelSource(str(model), model_config=config and str(config), device="cpu")


@pytest.fixture(scope="module")
def drawn(folder: Path) -> np.ndarray:
    return picture(folder)


@pytest.mark.parametrize(
    ("kind", "grey_levels"), [("F32", 0), ("F16", 0.5), ("BF16", 3), ("Q8_0", 3), ("Q4_0", 25)]
)
def test_gguf_draws_nearly_what_the_folder_draws(
    kind: str,
    grey_levels: float,
    rest: Path,
    weights: dict[str, torch.Tensor],
    drawn: np.ndarray,
    tmp_path: Path,
) -> None:
    path = write_gguf(tmp_path / "one.gguf", weights, kind)
    [line] = check_model(source_of(path, rest), thorough=True)
    assert f"in {kind}, the other parts from" in line
    difference = np.abs(picture(path, rest) - drawn).mean()
    assert difference <= grey_levels
    assert difference > 0 or kind in {"F32", "F16"}


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize("suffix", [".safetensors", ".gguf"])
def test_names_of_the_authors_draw_the_same(
    suffix: str,
    prefix: str,
    rest: Path,
    weights: dict[str, torch.Tensor],
    drawn: np.ndarray,
    tmp_path: Path,
) -> None:
    published = {prefix + name: each for name, each in name_as_published(weights).items()}
    path = tmp_path / f"one{suffix}"
    if suffix == ".gguf":
        write_gguf(path, published, "F32")
    else:
        save_file(published, path)
    assert np.array_equal(picture(path, rest), drawn)


def test_safetensors_with_the_names_of_diffusers_draws_the_same(
    rest: Path, weights: dict[str, torch.Tensor], drawn: np.ndarray, tmp_path: Path
) -> None:
    save_file(weights, tmp_path / "one.safetensors")
    assert np.array_equal(picture(tmp_path / "one.safetensors", rest), drawn)


def test_weights_of_a_gguf_file_stay_quantised_and_its_steps_are_not_captured(
    rest: Path, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    loaded = load_model(source_of(write_gguf(tmp_path / "one.gguf", weights, "Q8_0"), rest))
    matrix = loaded.family.network.transformer_blocks[0].attn.to_q.weight
    assert matrix.dtype == torch.uint8
    assert loaded.family.network.dtype == torch.float32
    assert loaded.runs_eagerly
    assert loaded.info.name == "one"


def test_file_without_the_rest_of_its_model_says_what_is_missing(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "one.gguf", weights, "F16")
    said = refuse(source_of(path, None))
    assert re.search("only the transformer .* set MODEL_CONFIG to the diffusers folder or", said)
    assert "text encoders" in said
    said = refuse(source_of(path, "/nowhere/at/all"))
    assert "MODEL_CONFIG names /nowhere/at/all, which is neither" in said


def test_rest_of_another_family_is_refused(
    weights: dict[str, torch.Tensor], tiny_model: Path, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "one.gguf", weights, "F16")
    said = refuse(source_of(path, tiny_model))
    assert re.search(
        "is a transformer of Stable Diffusion 3 and 3.5, but MODEL_CONFIG .* of Stable Diff", said
    )


@pytest.mark.parametrize("change", ["narrower", "one less"])
def test_transformer_of_another_size_is_refused(
    change: str, rest: Path, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    changed = dict(weights)
    if change == "narrower":
        changed["context_embedder.weight"] = weights["context_embedder.weight"][:, :64].contiguous()
    else:
        del changed["proj_out.weight"]
    said = refuse(source_of(write_gguf(tmp_path / "one.gguf", changed, "F16"), rest))
    assert re.search(r"does not fit its config files: of the \d+ weights of its transformer", said)


@pytest.mark.parametrize("name", TINY)
def test_every_family_is_recognised_by_its_own_names(
    name: str, tiny_family: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tiny_family(name)
    path = write_gguf(tmp_path / "one.gguf", read_transformer(folder), "Q8_0")
    [line, *_] = check_model(source_of(path, folder), thorough=True)
    assert f"a transformer of {FAMILIES[name.removesuffix('_schnell')].label} in Q8_0" in line
    assert load_model(source_of(path, folder)).runs_eagerly


PUBLISHED = {
    "double_blocks.0.img_attn.norm.key_norm.scale": "FLUX.1",
    "model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale": "FLUX.1",
    "distilled_guidance_layer.in_proj.bias": "Chroma",
    "double_stream_modulation_img.lin.weight": "FLUX.2",
    "joint_blocks.0.context_block.adaLN_modulation.1.bias": "Stable Diffusion 3 or 3.5",
}


@pytest.mark.parametrize(("name", "label"), PUBLISHED.items())
def test_names_of_the_authors_are_recognised(name: str, label: str, tmp_path: Path) -> None:
    save_file({name: torch.ones(1)}, tmp_path / "one.safetensors")
    said = refuse(source_of(tmp_path / "one.safetensors", None))
    assert f"holds only the transformer of a {label} model: set MODEL_CONFIG" in said


@pytest.mark.parametrize("added", ["lora_A", "controlnet_blocks"])
def test_file_that_only_changes_a_transformer_is_none(added: str, tmp_path: Path) -> None:
    names = ("double_blocks.0.img_attn.qkv.weight", f"double_blocks.0.{added}.weight")
    save_file({name: torch.ones(1) for name in names}, tmp_path / "one.safetensors")
    assert "Triptych cannot draw with" in refuse(source_of(tmp_path / "one.safetensors", None))


OTHERS = {
    "token_embd.weight": "it is a text model of the kind llama",
    "enc.blk.0.attn_q.weight": "it is a text model of the kind llama",
    "model.diffusion_model.input_blocks.0.0.weight": "it is a UNet; GGUF files can only hold",
    "what.is.this": "it is a GGUF file of the kind llama",
}


@pytest.mark.parametrize(("name", "words"), OTHERS.items())
def test_other_gguf_files_are_refused_by_what_they_are(
    name: str, words: str, rest: Path, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "one.gguf", {name: torch.ones(4, 32)}, "F16", "llama")
    assert words in refuse(source_of(path, rest))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 0.999])
def test_shortened_file_is_refused(
    share: float, rest: Path, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "one.gguf", weights, "Q8_0")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    said = refuse(source_of(path, rest))
    assert re.search("(is incomplete or broken|is no GGUF file): copy or download it again", said)


def test_pointer_instead_of_the_file_is_told_apart(tmp_path: Path, rest: Path) -> None:
    (tmp_path / "one.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "only a Git LFS pointer" in refuse(source_of(tmp_path / "one.gguf", rest))


def test_kinds_that_can_be_read_are_those_of_diffusers() -> None:
    names = {kind.name for kind in SUPPORTED_GGUF_QUANT_TYPES}
    assert names | {"F32", "F16"} == READABLE


def test_kind_that_diffusers_cannot_read_is_refused(tmp_path: Path, rest: Path) -> None:
    path = write_gguf(tmp_path / "one.gguf", {"a.weight": torch.ones(4, 256)}, "TQ1_0")
    with pytest.raises(ConfigError, match="quantised as TQ1_0, which diffusers cannot read"):
        read_gguf(path)


def test_scaled_float8_is_refused(
    rest: Path, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_file({**weights, "proj_out.scale_weight": torch.ones(1)}, tmp_path / "one.safetensors")
    assert "holds quantised weights" in refuse(source_of(tmp_path / "one.safetensors", rest))
