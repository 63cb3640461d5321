"""Quantising a model while it is loaded. int8 needs torchao, which is not always installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.engine import ModelSource
from bot.engine.hardware import CPU, Hardware
from bot.engine.models.loading import load_model
from bot.engine.models.quantization import check_quantization, make_configs
from bot.errors import ConfigError
from tests.engine.conftest import make_request
from tests.engine.drawing import draw, open_batch
from tests.gguf_writer import read_transformer, write_gguf

needs_torchao = pytest.mark.skipif(find_spec("torchao") is None, reason="torchao is not installed")
CUDA = Hardware("cuda", "cuda", "NVIDIA GPU", CPU.dtype)


@pytest.fixture
def folder(tiny_family: Callable[[str], Path]) -> Path:
    return tiny_family("sd3")


def picture(source: ModelSource) -> tuple[Any, np.ndarray]:
    model = load_model(source)
    request = make_request(
        width=64, height=64, seeds=(7,), num_inference_steps=3, sampler="euler", guidance_scale=4.0
    )
    return model, draw(open_batch(model), request).images.astype(int)


@needs_torchao
def test_int8_draws_nearly_the_same_and_is_not_captured(folder: Path) -> None:
    plain, expected = picture(ModelSource(str(folder), device="cpu"))
    model, drawn = picture(ModelSource(str(folder), device="cpu", quantization="int8"))
    layers = (
        model.family.network.transformer_blocks[0].attn.to_q,
        model.pipe.text_encoder_3.encoder.block[0].layer[0].SelfAttention.q,
    )
    assert all(type(layer.weight).__name__ == "Int8Tensor" for layer in layers)
    assert 0 < np.abs(drawn - expected).mean() < 3
    assert model.runs_eagerly
    assert not plain.runs_eagerly


@needs_torchao
def test_int8_leaves_a_gguf_file_as_it_is(folder: Path, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "one.gguf", read_transformer(folder), "Q8_0")
    config = str(folder)
    model, _ = picture(ModelSource(str(path), config, device="cpu", quantization="int8"))
    assert type(model.family.network.proj_out.weight).__name__ == "GGUFParameter"
    layer = model.pipe.text_encoder_3.encoder.block[0].layer[0].SelfAttention.q
    assert type(layer.weight).__name__ == "Int8Tensor"


@pytest.mark.parametrize(("kind", "package"), [("int8", "torchao"), ("nf4", "bitsandbytes")])
def test_missing_package_is_named(kind: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.engine.models.quantization.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"needs the package {package}: .*triptych-bot\[{kind}"):
        check_quantization(ModelSource("a model", quantization=kind), CUDA)


def test_nf4_needs_cuda_and_stays_on_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match="nf4 needs an NVIDIA GPU, and the device is cpu"):
        load_model(ModelSource(str(folder), device="cpu", quantization="nf4"))
    with pytest.raises(ConfigError, match="OFFLOAD=encoders does not go with QUANTIZATION=nf4"):
        check_quantization(ModelSource("a", offload="encoders", quantization="nf4"), CUDA)


def test_nothing_is_quantised_unless_asked() -> None:
    assert make_configs("none", ("transformer",), CPU.dtype) == {}
