"""Predicts an enlarged picture in overlapping tiles if it is too large for one pass.

A request may be tiled only if it is a second pass over an enlarged picture (``may_tile``): the
start picture keeps the tiles consistent. Anything else is drawn in one pass, exactly as diffusers
draws it, or refused. An enlarged picture must be tiled:

- if its sides are more than twice the model's native sides. The attention's work and memory grow
with the square of the pixels, and the model was not trained on pictures that large (twice still
works).

- if one pass of this size ran out of memory within the last hour.

Tiles have the native size, and neighbours overlap by at least a quarter of it. Each step predicts
all tiles, blends the predictions and then changes the whole latent
(https://arxiv.org/abs/2302.08113), so that neighbours agree from the first step on and no seam can
grow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import torch

from bot.engine.capacity.tile_plan import OVERLAP, count_tiles
from bot.engine.conditioning import Network, Rows
from bot.engine.models.family import ModelFamily


class TiledFamily:
    """Replaces a family: predicts latents (R, C, h, w) of one size tile by tile."""

    def __init__(
        self, family: ModelFamily, size: Sequence[int], tile: Sequence[int], device: torch.device
    ) -> None:
        self.guide = family.guide
        self._predict = family.predict
        axes = [_cut(side, piece, device) for side, piece in zip(size, tile, strict=True)]
        self._tiles = [
            (rows, columns, down[:, None] * across[None, :])
            for (rows, down), (columns, across) in product(*axes)
        ]

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the prediction (R, C, h, w), in float32 or better."""
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        total = torch.zeros(inputs.shape, device=inputs.device, dtype=dtype)
        for down, across, weight in self._tiles:
            predicted = self._predict(network, inputs[:, :, down, across], times, rows)
            total[:, :, down, across] += predicted.to(dtype) * weight
        return total


def _cut(side: int, tile: int, device: torch.device) -> list[tuple[slice, torch.Tensor]]:
    """Cut one axis into tiles whose weights add up to one everywhere."""
    tile = min(side, tile)
    num_tiles = count_tiles(side, tile)
    gap = (side - tile) / max(num_tiles - 1, 1)
    slices = [slice(round(n * gap), round(n * gap) + tile) for n in range(num_tiles)]
    ramp = torch.arange(1, tile + 1, device=device).clamp(max=math.ceil(OVERLAP * tile)).float()
    ramp = torch.minimum(ramp, ramp.flip(0))
    total = torch.zeros(side, device=device)
    for piece in slices:
        total[piece] += ramp
    return [(piece, ramp / total[piece]) for piece in slices]
