"""Loads the upscaler, and enlarges pictures tile by tile."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from bot.engine.upscaling.files import read_plan
from bot.engine.upscaling.networks import build_network
from bot.engine.upscaling.tiles import Tile, cut
from bot.errors import ConfigError, GenerationFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOT_A_NUMBER = (
    "The upscaler made not-a-number of the picture, so its weights are damaged: copy or download "
    "the file of UPSCALER again."
)


def load_upscaler(path: Path, device: torch.device) -> Upscaler:
    """Load the network in a file. Raises ConfigError."""
    plan, prefix = read_plan(path)
    network = build_network(plan)
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be read ({error}): copy or download the file of UPSCALER again."
        ) from error
    network.load_state_dict({name.removeprefix(prefix): each for name, each in weights.items()})
    return Upscaler(network, plan.factor, plan.margin_pixels, device)


class Upscaler:
    """An upscaling network on its device: float32 on the CPU, float16 on a GPU (not run yet)."""

    def __init__(self, network: nn.Module, factor: int, margin: int, device: torch.device) -> None:
        self._dtype = torch.float32 if device.type == "cpu" else torch.float16
        network = network.requires_grad_(requires_grad=False).eval()
        self._network: nn.Module = network.to(device, self._dtype)
        self._device = device
        self.factor = factor
        self.margin = margin

    @torch.inference_mode()
    def enlarge_tile(
        self, picture: NDArray[np.uint8], tile: Tile, factor: int
    ) -> NDArray[np.uint8]:
        """Enlarge one tile of a picture, uint8 (H, W, 3), ``factor`` times.

        Raises GenerationFailed, and torch's errors.
        """
        rows, columns, k = tile.rows, tile.columns, self.factor
        part = picture[rows.outer_start : rows.outer_end, columns.outer_start : columns.outer_end]
        pixels = torch.tensor(part, device=self._device).permute(2, 0, 1)[None]
        unit = (pixels.to(self._dtype) / 255).contiguous(memory_format=torch.channels_last)
        large = self._network(unit).float()
        top, left = (each.start - each.outer_start for each in (rows, columns))
        height, width = (each.end - each.start for each in (rows, columns))
        inner = large[:, :, top * k : (top + height) * k, left * k : (left + width) * k]
        if not inner.sum().isfinite():  # NaN and infinity stay in a sum
            raise GenerationFailed(_NOT_A_NUMBER)
        inner = inner.clamp(0, 1)
        if k > factor:
            inner = functional.avg_pool2d(inner, k // factor)
        return inner[0].permute(1, 2, 0).mul_(255).round_().to(torch.uint8).cpu().numpy()


class Enlarging:
    """Pictures of one size, uint8 (N, H, W, 3), that are being enlarged one tile at a time."""

    def __init__(self, upscaler: Upscaler, pictures: NDArray[np.uint8], factor: int) -> None:
        num, height, width, _ = pictures.shape
        tiles = cut(width, height, upscaler.margin)
        self._upscaler = upscaler
        self._pictures = pictures
        self._factor = factor
        self._todo = deque((n, tile) for n in range(num) for tile in tiles)
        self.num_tiles = len(self._todo)
        self.result = np.empty((num, height * factor, width * factor, 3), np.uint8)

    @property
    def num_done(self) -> int:
        """Return how many tiles are finished."""
        return self.num_tiles - len(self._todo)

    @property
    def is_done(self) -> bool:
        """Return whether ``result`` is complete."""
        return not self._todo

    def step(self) -> None:
        """Enlarge the next tile. If it fails, nothing changes."""
        n, tile = self._todo[0]
        part = self._upscaler.enlarge_tile(self._pictures[n], tile, self._factor)
        top, left = tile.rows.start * self._factor, tile.columns.start * self._factor
        self.result[n, top : top + part.shape[0], left : left + part.shape[1]] = part
        self._todo.popleft()
