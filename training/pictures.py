"""Saves tensors in -1…1 as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image


def to_bytes(pictures: torch.Tensor) -> np.ndarray:
    """Turn pictures (n, 3, h, w) in -1…1 into uint8 (n, h, w, 3)."""
    scaled = (pictures.detach().float().clamp(-1, 1) + 1) * 127.5
    return scaled.round().byte().permute(0, 2, 3, 1).cpu().numpy()


def write_grid(path: Path, pictures: np.ndarray, columns: int) -> None:
    height, width = pictures.shape[1:3]
    rows = -(-len(pictures) // columns)
    grid = np.zeros((rows * height, columns * width, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * height, number % columns * width
        grid[top : top + height, left : left + width] = picture
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid).save(path)


def psnr(pictures: torch.Tensor, truth: torch.Tensor) -> float:
    """Return the PSNR in dB, for the range 0…1. Both inputs are in -1…1."""
    error = ((pictures.clamp(-1, 1) - truth) / 2).square().mean()
    return float(-10 * error.log10())
