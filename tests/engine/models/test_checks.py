"""Models as people have them on disk. Some can be used; for all others there is a message.

``doctor`` and the start must say the same, so `refuse` asks both.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bot.engine import ModelSource
from bot.engine.models.checks import check_model
from bot.engine.models.loading import _load_local, load_model
from bot.errors import ConfigError
from tests.checkpoints import write_single_file
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, open_batch
from tests.tiny_models import (
    build_tiny_model,
    build_tiny_pipeline,
    edit_json,
    rename_weights,
)

UNET = "diffusion_pytorch_model"


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def config(model: Path) -> Path:
    """A folder with only the small files of a model."""
    for weights in model.rglob("*.safetensors"):
        weights.unlink()
    return model


@pytest.fixture
def single(tmp_path: Path) -> Path:
    return write_single_file(build_tiny_pipeline(), tmp_path / "one.safetensors")


def source_of(path: Path, config: Path | None = None) -> ModelSource:
    return ModelSource(str(path), model_config=config and str(config), device="cpu")


def refuse(source: ModelSource) -> str:
    """Return the message of doctor, and check that the start gives the same."""
    said = []
    for ask in (partial(check_model, thorough=True), load_model):
        with pytest.raises(ConfigError) as caught:
            ask(source)
        said.append(str(caught.value))
    assert said[0] == said[1]
    return said[0]


def draw_with(path: Path, config: Path | None = None) -> Any:
    source = source_of(path, config)
    check_model(source)
    request = make_request(seeds=(0,), num_inference_steps=2)
    return draw(open_batch(load_model(source)), request).images


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("../../blobs/gone")


def only_words_and_merges(model: Path) -> tuple[Path, Path]:
    """Change the tokenizer to the form of 2022."""
    whole = model / "tokenizer" / "tokenizer.json"
    known = json.loads(whole.read_text())["model"]
    words, merges = model / "tokenizer" / "vocab.json", model / "tokenizer" / "merges.txt"
    write(words, json.dumps(known["vocab"]))
    lines = [pair if isinstance(pair, str) else " ".join(pair) for pair in known["merges"]]
    write(merges, "\n".join(["#version: 0.2", *lines, ""]))
    whole.unlink()
    return words, merges


def shard(part: Path, name: str = UNET) -> None:
    """Cut a part's weights into two files with an index."""
    whole = part / f"{name}.safetensors"
    weights = load_file(whole)
    whole.unlink()
    names, places = sorted(weights), {}
    for number, half in enumerate((names[::2], names[1::2]), 1):
        file = f"{name}-0000{number}-of-00002.safetensors"
        save_file({each: weights[each] for each in half}, part / file, {"format": "pt"})
        places |= dict.fromkeys(half, file)
    write(
        part / f"{name}.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": places})
    )


def drop(path: Path, start: str) -> None:
    """Remove the weights whose names begin in this way."""
    rename_weights(path, lambda name: None if name.startswith(start) else name)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: shutil.rmtree(m / "tokenizer"), "tokenizer/vocab.json is not there: copy"),
        (lambda m: write(m / "tokenizer/tokenizer.json", ""), "tokenizer.json is damaged"),
        (lambda m: write(m / "tokenizer/tokenizer.json", "{}"), "every prompt would draw the same"),
        (lambda m: write(only_words_and_merges(m)[0], "{}"), "every prompt would draw the same"),
        (lambda m: write(only_words_and_merges(m)[1], ""), "every prompt would draw the same"),
        (lambda m: only_words_and_merges(m)[1].unlink(), "merges.txt is not there"),
        (lambda m: write(only_words_and_merges(m)[0], '{"a": 0}'), "knows 1 of the"),
        (lambda m: shutil.rmtree(m / "scheduler"), "scheduler_config.json is not there: copy"),
        (
            lambda m: edit_json(m / "model_index.json", scheduler=["diffusers", "NoScheduler"]),
            "cannot be loaded by the libraries.*Copy or download it again",
        ),
        (
            lambda m: edit_json(m / "model_index.json", scheduler=[None, None]),
            "names no scheduler, without which nothing can be drawn",
        ),
        (
            lambda m: edit_json(m / "unet/config.json", down_block_types=["NoBlock"] * 3),
            "cannot be loaded by the libraries.*NoBlock",
        ),
        (
            lambda m: edit_json(m / "scheduler/scheduler_config.json", beta_schedule="none"),
            "cannot be loaded by the libraries",
        ),
        (
            lambda m: edit_json(m / "text_encoder/config.json", hidden_size="wide"),
            "cannot be loaded by the libraries",
        ),
        (
            lambda m: edit_json(m / "tokenizer/tokenizer.json", pre_tokenizer={"type": "No"}),
            "cannot be loaded by the libraries",
        ),
        (lambda m: link_to_nowhere(m / f"unet/{UNET}.safetensors"), "link to ../../blobs/gone"),
        (lambda m: link_to_nowhere(m / "vae/config.json"), "link to ../../blobs/gone"),
        (lambda m: link_to_nowhere(m / "model_index.json"), "link to ../../blobs/gone"),
        (lambda m: write(m / "vae/config.json", "[" * 10**5), "config.json is damaged"),
        (lambda m: (m / "vae/config.json").write_bytes(b"\xff\xfe"), "it is no text"),
        (
            lambda m: write(
                m / f"unet/{UNET}.safetensors", "version https://git-lfs.github.com/spec/v1\n"
            ),
            "only a Git LFS pointer.*git lfs pull",
        ),
        (
            lambda m: (m / f"vae/{UNET}.safetensors").rename(m / "vae/vae.safetensors"),
            f"vae has no {UNET}.safetensors.*it has vae.safetensors",
        ),
        (
            lambda m: (shard(m / "unet"), (m / f"unet/{UNET}-00002-of-00002.safetensors").unlink()),
            "00002-of-00002.safetensors is not there",
        ),
        (
            lambda m: (shard(m / "unet"), write(m / f"unet/{UNET}.safetensors.index.json", "{}")),
            "lists no files",
        ),
        (lambda m: drop(m / f"unet/{UNET}.safetensors", "mid_block"), "of its unet, .* not there"),
        (lambda m: drop(m / f"vae/{UNET}.safetensors", "encoder"), "of its vae, .* not there"),
        (
            lambda m: drop(m / "text_encoder/model.safetensors", "encoder.layers.1"),
            "of its text_encoder, .* not there",
        ),
        (
            lambda m: edit_json(m / "unet/config.json", cross_attention_dim=64),
            "of its unet, .* have another shape",
        ),
    ],
)
def test_folder_that_cannot_be_drawn_with_is_refused_by_doctor_as_by_the_start(
    model: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(model)
    assert re.search(words, refuse(source_of(model)))


def test_file_that_may_not_be_read_names_the_permissions(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(path: Path, **_: Any) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", forbid)  # the tests may run as root
    assert "cannot be read by the user that runs Triptych" in refuse(source_of(model))


@pytest.mark.parametrize("name", ["Img2Img", "Inpaint", "InpaintPipelineLegacy"])
def test_folder_saved_as_another_pipeline_of_the_same_parts_draws_the_same(
    model: Path, name: str
) -> None:
    expected = draw_with(model)
    pipeline = f"StableDiffusion{name.removesuffix('PipelineLegacy')}Pipeline"
    pipeline += "Legacy" * name.endswith("Legacy")
    edit_json(model / "model_index.json", _class_name=pipeline)
    assert np.array_equal(draw_with(model), expected)


def test_folder_of_shards_and_of_an_early_tokenizer_draws_the_same(model: Path) -> None:
    expected = draw_with(model)
    only_words_and_merges(model)
    shard(model / "unet")
    shard(model / "vae")
    shard(model / "text_encoder", "model")
    assert np.array_equal(draw_with(model), expected)


def test_folder_whose_vae_has_the_names_of_2022_draws_the_same(model: Path) -> None:
    expected = draw_with(model)
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def rename(name: str) -> str:
        for new, early in old.items():
            name = name.replace(new, early)
        return name

    rename_weights(model / f"vae/{UNET}.safetensors", rename)
    assert np.array_equal(draw_with(model), expected)


def test_parts_of_which_some_are_fp16_alone_are_loaded_together(model: Path) -> None:
    name = model / "text_encoder" / "model.safetensors"
    name.rename(name.with_name("model.fp16.safetensors"))
    draw_with(model)
    assert _load_local(source_of(model), torch.float16).notes == ()


def test_broken_fp16_files_are_found_on_a_machine_that_would_not_read_them(model: Path) -> None:
    (model / f"unet/{UNET}.fp16.safetensors").write_bytes(b"junk" * 9)
    assert f"{UNET}.fp16.safetensors is broken" in refuse(source_of(model))


@pytest.mark.parametrize("suffix", [".bin", None], ids=["pickle", "missing"])
def test_safety_checker_without_safetensors_is_left_out_and_that_is_said(
    tmp_path: Path, suffix: str | None
) -> None:
    folder = build_tiny_model(tmp_path / "model", safety_checker=True)
    weights = folder / "safety_checker" / "model.safetensors"
    if suffix:
        weights.rename(weights.with_name("pytorch_model.bin"))
    else:
        shutil.rmtree(weights.parent)
    note = f"The safety checker of {folder} was left out"
    assert note in check_model(source_of(folder), thorough=True)[1]
    loaded = load_model(source_of(folder))
    assert loaded.pipe.safety_checker is None
    assert note in loaded.info.notes[0]


def test_safety_checker_that_is_broken_or_half_there_is_refused(tmp_path: Path) -> None:
    folder = build_tiny_model(tmp_path / "model", safety_checker=True)
    (folder / "feature_extractor" / "preprocessor_config.json").unlink()
    assert "preprocessor_config.json is not there" in refuse(source_of(folder))
    folder = build_tiny_model(tmp_path / "other", safety_checker=True)
    (folder / "safety_checker" / "model.safetensors").write_bytes(b"junk" * 9)
    assert "safety_checker/model.safetensors is broken" in refuse(source_of(folder))


def to_early_clip(name: str) -> str:
    return name.replace("transformer.text_model.", "transformer.")


def to_diffusers_attention(name: str) -> str:
    for new, old in {".q.": ".to_q.", ".k.": ".to_k.", ".v.": ".to_v."}.items():
        name = name.replace(f"attn_1{new}", f"attn_1{old}")
    return name.replace("attn_1.proj_out.", "attn_1.to_out.0.")


@pytest.mark.parametrize("rename", [to_early_clip, to_diffusers_attention])
def test_single_file_with_names_of_another_time_draws_the_same(
    single: Path, config: Path, rename: Callable[[str], str]
) -> None:
    expected = draw_with(single, config)
    before = set(load_file(single))
    rename_weights(single, rename)
    assert set(load_file(single)) != before
    assert np.array_equal(draw_with(single, config), expected)


def test_single_file_with_the_text_encoder_of_version_2_draws_the_same(
    single: Path, config: Path, tmp_path: Path
) -> None:
    expected = draw_with(single, config)
    other = write_single_file(build_tiny_pipeline(), tmp_path / "two.safetensors", open_clip=True)
    assert np.array_equal(draw_with(other, config), expected)


def test_single_file_in_capitals_draws_the_same(single: Path, config: Path) -> None:
    expected = draw_with(single, config)
    loud = single.rename(single.with_suffix(".SAFETENSORS"))
    assert np.array_equal(draw_with(loud, config), expected)
    assert load_model(source_of(loud, config)).info.name == "one"


@pytest.mark.parametrize("part", ["first_stage_model.", "cond_stage_model."])
def test_part_that_a_single_file_is_without_comes_from_the_config_folder(
    single: Path, model: Path, part: str
) -> None:
    expected = draw_with(single, model)
    drop(single, part)
    assert np.array_equal(draw_with(single, model), expected)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("first_stage_model.", "has no VAE inside.*MODEL_CONFIG.*vae/ has"),
        ("cond_stage_model.", "has no text encoder inside.*MODEL_CONFIG.*text_encoder/ has"),
        ("model.diffusion_model.", "no Stable Diffusion UNet inside"),
        ("model.diffusion_model.middle_block.", "of its unet, .* not there"),
        ("first_stage_model.decoder.mid.block_1.", "of its vae, .* not there"),
        ("cond_stage_model.transformer.text_model.encoder.", "of its text_encoder, .* not there"),
    ],
)
def test_single_file_that_is_without_a_part_is_refused(
    single: Path, config: Path, start: str, words: str
) -> None:
    drop(single, start)
    assert re.search(words, refuse(source_of(single, config)))


def test_config_folder_is_checked_as_a_model_folder_is(single: Path, model: Path) -> None:
    shutil.rmtree(model / "tokenizer")
    assert "tokenizer/vocab.json is not there" in refuse(source_of(single, model))


def test_config_folder_of_another_kind_of_model_is_named(single: Path, model: Path) -> None:
    edit_json(model / "unet/config.json", cross_attention_dim=64)
    text = refuse(source_of(single, model))
    assert "MODEL_CONFIG must be of the same kind of model" in text


def test_folder_of_single_files_says_to_name_one(single: Path) -> None:
    assert f"or one of the files in it, such as {single}" in refuse(source_of(single.parent))


def test_dangling_single_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    path.symlink_to(tmp_path / "gone")
    assert "is a link to" in refuse(source_of(path))


def test_header_with_odd_shapes_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    key = "model.diffusion_model.input_blocks.0.0.weight"
    header = json.dumps({key: {"dtype": "F32", "shape": 7, "data_offsets": [0, 0]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert "is broken" in refuse(source_of(path))
