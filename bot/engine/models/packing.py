"""Packs latents as the tokens of FLUX.1, Chroma and Qwen-Image: one for each 2 × 2 latents."""

from __future__ import annotations

import torch


def pack(latents: torch.Tensor) -> torch.Tensor:
    """Turn latents (N, C, h, w), of even h and w, into tokens (N, h/2 · w/2, 4C), row by row."""
    batch, channels, height, width = latents.shape
    parts = latents.reshape(batch, channels, height // 2, 2, width // 2, 2)
    return parts.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, 4 * channels)


def unpack(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Turn tokens (N, h/2 · w/2, 4C) into latents (N, C, h, w). height, width: h and w."""
    batch, _, channels = tokens.shape
    parts = tokens.reshape(batch, height // 2, width // 2, channels // 4, 2, 2)
    return parts.permute(0, 3, 1, 4, 2, 5).reshape(batch, channels // 4, height, width)


def unpack_noise(noise: torch.Tensor) -> torch.Tensor:
    """Arrange the noise (N, C, h, w) of a step as if it had been drawn for packed tokens."""
    batch, channels, height, width = noise.shape
    return unpack(noise.reshape(batch, -1, 4 * channels), height, width)
