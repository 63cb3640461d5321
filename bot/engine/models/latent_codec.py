"""Converts between pictures and latents, with a pipeline's VAE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from bot.engine.models.flop import count_vae_flop


class LatentCodec:
    """An AutoencoderKL. A family with another VAE overrides these methods.

    vae: the VAE. factor: the side of a latent's pixel in pixels of the picture. native_side: the
    longer side of a latent of the model's native size; tiles are no larger.
    """

    def __init__(self, vae: Any, factor: int, native_side: int) -> None:
        self.vae = vae
        self.factor = factor
        self.native_side = native_side

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode scaled latents (N, C, h, w) as pictures (N, 3, H, W) in about [-1, 1]."""
        scaled = self.unscale(latents.to(self.vae.dtype))
        scaled = scaled.contiguous(memory_format=torch.channels_last)
        return self.vae.decode(scaled, return_dict=False)[0]

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return what ``sample`` needs of pictures (N, 3, H, W) in [-1, 1]: the posterior's mean
        and log-variance. The VAE's precision does not affect the noise that is drawn later.
        """
        return self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent_dist.parameters

    def sample(
        self, parameters: torch.Tensor, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Draw a scaled latent from the posterior with each generator: (N, C, h, w)."""
        posterior = DiagonalGaussianDistribution(parameters)
        return self.scale(torch.cat([posterior.sample(generator) for generator in generators]))

    def encode_mode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the most likely scaled latents (N, C, h, w) of pictures (N, 3, H, W)."""
        return self.scale(DiagonalGaussianDistribution(self.encode(pixels)).mode())

    def scale(self, latents: torch.Tensor) -> torch.Tensor:
        """Scale what the encoder returned (N, C, h, w), to a variance of about one."""
        mean, std, factor = self._read_statistics(latents)
        return (latents - mean) * factor / std

    def unscale(self, latents: torch.Tensor) -> torch.Tensor:
        """Undo ``scale``, for the decoder."""
        mean, std, factor = self._read_statistics(latents)
        return latents * std / factor + mean

    @contextmanager
    def tiled(self) -> Iterator[None]:
        """Make the VAE encode and decode tile by tile; diffusers blends the tiles.

        Tiles have the VAE's configured size, or the model's native size if that is smaller, because
        some VAEs are configured for tiles that are too large for any memory.
        """
        vae = self.vae
        own = vae.tile_latent_min_size, vae.tile_sample_min_size
        vae.enable_tiling()
        side = self.native_side * self.factor
        if side < own[1]:
            vae.tile_sample_min_size = side
            vae.tile_latent_min_size = side * own[0] // own[1]
        try:
            yield
        finally:
            vae.disable_tiling()
            vae.tile_latent_min_size, vae.tile_sample_min_size = own

    def count_flop(self, latent: Sequence[int]) -> float:
        """Count the FLOP to decode one picture from a latent (C, h, w)."""
        return count_vae_flop(self.vae, latent)

    def _read_statistics(self, latents: torch.Tensor) -> tuple[Any, Any, float]:
        """Return each channel's mean and standard deviation, and the factor for all channels.

        Few VAE configs contain statistics; those of flow models contain a shift for all channels.
        """
        config = self.vae.config
        factor = getattr(config, "scaling_factor", None) or 1.0
        mean, std = (getattr(config, f"latents_{name}", None) for name in ("mean", "std"))
        if mean is None or std is None:
            return getattr(config, "shift_factor", None) or 0.0, 1.0, factor
        shape = (1, -1, 1, 1)
        return latents.new_tensor(mean).view(shape), latents.new_tensor(std).view(shape), factor
