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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import torch

from bot.engine.capacity.tile_plan import OVERLAP, count_tiles
from bot.engine.conditioning import Network


class TiledNetwork:
    """Replaces a network: predicts latents (R, C, h, w) of one size tile by tile."""

    def __init__(
        self, network: Network, size: Sequence[int], tile: Sequence[int], device: torch.device
    ) -> None:
        self._network = network
        axes = [_cut(side, piece, device) for side, piece in zip(size, tile, strict=True)]
        self._tiles = [
            (rows, columns, down[:, None] * across[None, :])
            for (rows, down), (columns, across) in product(*axes)
        ]

    def __call__(self, latents: torch.Tensor, times: torch.Tensor, **rest: Any) -> Any:
        """Return the prediction (R, C, h, w), in float32 or better, as the only item of a tuple."""
        dtype = torch.promote_types(latents.dtype, torch.float32)
        total = torch.zeros(latents.shape, device=latents.device, dtype=dtype)
        for rows, columns, weight in self._tiles:
            tile = latents[:, :, rows, columns].contiguous(memory_format=torch.channels_last)
            noise = self._network(tile, times, **rest)[0]
            total[:, :, rows, columns] += noise.to(dtype) * weight
        return (total,)


@contextmanager
def tile_vae(pipe: Any) -> Iterator[None]:
    """Make the VAE encode and decode tile by tile; diffusers blends the tiles.

    Tiles have the VAE's configured size, or the UNet's native size if that is smaller, because some
    VAEs are configured for tiles that are too large for any memory.
    """
    vae, side = pipe.vae, pipe.unet.config.sample_size
    own = vae.tile_latent_min_size, vae.tile_sample_min_size
    native = side if isinstance(side, int) else max(side)
    vae.enable_tiling()
    if native < own[0]:
        vae.tile_latent_min_size = native
        vae.tile_sample_min_size = native * pipe.vae_scale_factor
    try:
        yield
    finally:
        vae.disable_tiling()
        vae.tile_latent_min_size, vae.tile_sample_min_size = own


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
