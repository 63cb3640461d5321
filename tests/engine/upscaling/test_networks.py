"""The networks give the results of ncnn, and of the formulas in the papers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from bot.engine.upscaling.files import NetworkPlan
from bot.engine.upscaling.networks import build_network
from bot.engine.upscaling.upscaler import Enlarging, Upscaler
from bot.errors import GenerationFailed
from tests.engine.upscaling.conftest import SMALL_RRDB, SMALL_RRDB_BY_TWO

DATA = Path(__file__).parent / "data"


def test_shipped_network_gives_what_ncnn_gives_within_one_level(shipped: Upscaler) -> None:
    small = np.asarray(Image.open(DATA / "small.png"))
    wanted = np.asarray(Image.open(DATA / "ncnn.png")).astype(int)
    enlarging = Enlarging(shipped, small[None], 4)
    enlarging.step()
    assert enlarging.is_done
    difference = np.abs(enlarging.result[0].astype(int) - wanted)
    assert difference.max() <= 1
    assert difference.mean() < 0.001, "both round to the nearest level"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_single_value_that_is_not_a_number_fails_and_is_never_shown(value: float) -> None:
    class Damaged(nn.Module):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            large = picture.repeat_interleave(2, 2).repeat_interleave(2, 3)
            large[0, 1, 3, 5] = value
            return large

    upscaler = Upscaler(Damaged(), 2, 0, torch.device("cpu"))
    enlarging = Enlarging(upscaler, np.zeros((1, 8, 8, 3), np.uint8), 2)
    with pytest.raises(GenerationFailed, match="not-a-number"):
        enlarging.step()
    assert not enlarging.is_done


def convolve(weights: dict[str, Any], name: str, inner: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(inner, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)


def compute_dense(weights: dict[str, Any], name: str, inner: torch.Tensor) -> torch.Tensor:
    seen = [inner]
    for n in range(1, 5):
        out = convolve(weights, f"{name}.conv{n}", torch.cat(seen, 1))
        seen.append(torch.where(out > 0, out, 0.2 * out))
    return inner + 0.2 * convolve(weights, f"{name}.conv5", torch.cat(seen, 1))


@pytest.mark.parametrize("plan", [SMALL_RRDB, SMALL_RRDB_BY_TWO], ids=["by four", "by two"])
def test_rrdb_network_is_the_formula_of_its_paper(plan: NetworkPlan) -> None:
    torch.manual_seed(3)
    network = build_network(plan).requires_grad_(requires_grad=False)
    weights, picture = network.state_dict(), torch.rand(1, 3, 12, 10)
    packed = picture
    if plan.factor == 2:  # channel c, then the row and the column inside 2×2
        parts = [picture[:, c, y::2, x::2] for c in range(3) for y in (0, 1) for x in (0, 1)]
        packed = torch.stack(parts, 1)
    first = convolve(weights, "conv_first", packed)
    block = first
    for n in (1, 2, 3):
        block = compute_dense(weights, f"body.0.rdb{n}", block)
    inner = first + convolve(weights, "conv_body", first + 0.2 * block)
    for name in ("conv_up1", "conv_up2"):
        twice = inner.repeat_interleave(2, 2).repeat_interleave(2, 3)
        out = convolve(weights, name, twice)
        inner = torch.where(out > 0, out, 0.2 * out)
    out = convolve(weights, "conv_hr", inner)
    wanted = convolve(weights, "conv_last", torch.where(out > 0, out, 0.2 * out))
    assert wanted.shape == (1, 3, 12 * plan.factor, 10 * plan.factor)
    torch.testing.assert_close(network(picture), wanted, rtol=0, atol=1e-5)
