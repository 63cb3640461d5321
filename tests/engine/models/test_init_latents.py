"""The first latents of a request, if float16 is not precise enough for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bot.engine.models.init_latents import draw_start
from bot.engine.models.loading import LoadedModel
from bot.engine.sampling.step_tables import StepTable
from bot.errors import GenerationFailed
from tests.engine.conftest import make_request
from tests.engine.drawing import load

PICTURE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
ONLY_THE_PICTURE = StepTable(torch.zeros(1, 13), torch.zeros(1, 2), 1.0, 0.0, (False,), None)


def start(model: LoadedModel) -> torch.Tensor:
    request = make_request(image=PICTURE, strength=0.5)
    return draw_start(model.family, request, ONLY_THE_PICTURE).latents


@pytest.fixture
def loud(tiny_model: Path) -> LoadedModel:
    """A model whose encoder exceeds 65504. In float32, group norms undo this. It adds almost no
    noise.
    """
    model = load(tiny_model)
    with torch.no_grad():
        model.pipe.vae.encoder.conv_in.weight.mul_(5e4)
        model.pipe.vae.quant_conv.weight[4:] = 0
        model.pipe.vae.quant_conv.bias[4:] = -30
    return model


@torch.inference_mode()
def test_encoder_that_overflows_float16_is_run_again_in_float32(loud: LoadedModel) -> None:
    expected = start(loud)
    loud.pipe.to(torch.float16)
    half = start(loud)
    assert loud.pipe.vae.dtype == torch.float16
    assert half.isfinite().all()
    assert float((half - expected).norm() / expected.norm()) < 0.01


@torch.inference_mode()
def test_encoder_that_is_enough_in_float16_stays_in_it(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(tiny_model)
    model.pipe.to(torch.float16)
    monkeypatch.setattr(model.pipe.vae, "to", None)  # nothing is converted
    assert start(model).isfinite().all()


@torch.inference_mode()
def test_encoder_whose_cast_to_float32_runs_out_of_memory_is_whole_again(
    loud: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    vae = loud.pipe.vae
    loud.pipe.to(torch.float16)
    cast_whole = vae.to

    def cast(dtype: torch.dtype) -> Any:
        if dtype is torch.float16:
            return cast_whole(dtype)
        vae.encoder.conv_in.to(dtype)  # the first part of the VAE
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(vae, "to", cast)
    with pytest.raises(torch.OutOfMemoryError):
        start(loud)
    assert {weights.dtype for weights in vae.parameters()} == {torch.float16}


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@torch.inference_mode()
def test_encoder_that_makes_no_numbers_is_named(tiny_model: Path, dtype: torch.dtype) -> None:
    model = load(tiny_model)
    torch.nn.init.constant_(model.pipe.vae.encoder.conv_in.bias, float("nan"))
    model.pipe.to(dtype)
    with pytest.raises(GenerationFailed, match=r"VAE makes not-a-number.*Copy or download"):
        start(model)
