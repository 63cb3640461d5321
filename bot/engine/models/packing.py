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


def make_position_ids(num_tokens: int, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the positions of text tokens (T, 3) and of packed latents (h/2 · w/2, 3), in float32.

    A token of the picture has (0, row, column); those of the text are all zero. The tensors are
    made on the device, so that a captured graph makes them again instead of reading old memory.
    """
    height, width = latents.shape[2] // 2, latents.shape[3] // 2
    device = latents.device
    picture = torch.zeros(height, width, 3, device=device)
    picture[..., 1] = torch.arange(height, device=device)[:, None]
    picture[..., 2] = torch.arange(width, device=device)
    return torch.zeros(num_tokens, 3, device=device), picture.flatten(0, 1)
