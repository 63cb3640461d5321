"""Tiles leave no seams, cover everything, and need little memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bot.engine.upscaling import tiles
from bot.engine.upscaling.files import NetworkPlan
from bot.engine.upscaling.networks import build_network
from bot.engine.upscaling.tiles import TILE_PIXELS, cut
from bot.engine.upscaling.upscaler import Enlarging, Upscaler
from tests.engine.upscaling.conftest import (
    SMALL_COMPACT,
    SMALL_RRDB,
    SMALL_RRDB_BY_TWO,
    make_picture,
)

CPU = torch.device("cpu")


def enlarge(upscaler: Upscaler, width: int, height: int, factor: int) -> np.ndarray:
    enlarging = Enlarging(upscaler, make_picture(width, height)[None], factor)
    while not enlarging.is_done:
        enlarging.step()
    return enlarging.result[0]


def open_small(plan: NetworkPlan) -> Upscaler:
    torch.manual_seed(5)
    network = build_network(plan)
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.2)
    return Upscaler(network, plan.factor, plan.margin_pixels, CPU)


def test_tiles_of_the_shipped_network_have_no_seams(
    shipped: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = enlarge(shipped, 96, 64, 4)
    monkeypatch.setattr(tiles, "TILE_PIXELS", 40)
    pieces = enlarge(shipped, 96, 64, 4)
    assert len(cut(96, 64, shipped.margin)) == 6
    assert np.abs(whole.astype(int) - pieces).max() <= 1  # rounding; a seam would be many levels
    assert (whole != pieces).mean() < 1e-3


@pytest.mark.parametrize("plan", [SMALL_COMPACT, SMALL_RRDB, SMALL_RRDB_BY_TWO])
def test_margin_is_all_that_a_network_sees(
    plan: NetworkPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    upscaler = open_small(plan)
    whole = enlarge(upscaler, 90, 70, plan.factor)
    monkeypatch.setattr(tiles, "TILE_PIXELS", 31)
    pieces = enlarge(upscaler, 90, 70, plan.factor)
    assert np.abs(whole.astype(int) - pieces).max() <= 1
    assert (whole != pieces).mean() < 1e-3


def test_smaller_factor_is_the_average_of_the_larger_result(shipped: Upscaler) -> None:
    by_four, by_two = enlarge(shipped, 40, 32, 4), enlarge(shipped, 40, 32, 2)
    averaged = by_four.reshape(64, 2, 80, 2, 3).mean(axis=(1, 3))
    assert by_two.shape == (64, 80, 3)
    assert np.abs(averaged - by_two).max() <= 1.01


@pytest.mark.parametrize("size", [(128, 128), (129, 1), (300, 514), (2048, 2048)])
def test_every_pixel_is_in_one_tile_and_no_tile_is_large(size: tuple[int, int]) -> None:
    width, height = size
    counted = np.zeros((height, width), np.uint8)
    for tile in cut(width, height, 18):
        for span, side in ((tile.rows, height), (tile.columns, width)):
            assert span.outer_start == max(span.start - 18, 0)
            assert span.outer_end == min(span.end + 18, side)
            assert span.start % 2 == span.outer_start % 2 == 0
        counted[tile.rows.start : tile.rows.end, tile.columns.start : tile.columns.end] += 1
        assert tile.num_pixels <= (TILE_PIXELS + 1 + 2 * 18) ** 2
    assert (counted == 1).all()
