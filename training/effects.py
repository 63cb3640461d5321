"""Styles that are applied to the finished picture."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812

from training.colours import luma

BLOCKS = 32  # squares per side in pixel art


def pixel_art(pictures: torch.Tensor) -> torch.Tensor:
    small = F.interpolate(pictures, BLOCKS, mode="area")
    return F.interpolate(small, pictures.shape[-1], mode="nearest")


def black_and_white(pictures: torch.Tensor) -> torch.Tensor:
    return luma(pictures).expand_as(pictures)


EFFECTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "pixel": pixel_art,
    "mono": black_and_white,
}
