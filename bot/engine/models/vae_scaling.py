"""Converts between the scale of a VAE's latents and the scale that samplers use."""

from __future__ import annotations

from typing import Any

import torch


def scale_latents(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Scale what the encoder returned (N, C, h, w), to a variance of about one."""
    mean, std = _read_statistics(vae, latents)
    return (latents - mean) * vae.config.scaling_factor / std


def unscale_latents(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Undo ``scale_latents``, for the decoder."""
    mean, std = _read_statistics(vae, latents)
    return latents * std / vae.config.scaling_factor + mean


def _read_statistics(vae: Any, latents: torch.Tensor) -> tuple[Any, Any]:
    """Return each channel's mean and standard deviation. Few VAE configs contain them."""
    mean, std = (getattr(vae.config, f"latents_{name}", None) for name in ("mean", "std"))
    if mean is None or std is None:
        return 0.0, 1.0
    return latents.new_tensor(mean).view(1, -1, 1, 1), latents.new_tensor(std).view(1, -1, 1, 1)
