"""Makes small previews: one matrix turns the estimated clean latent into pixels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from bot.engine.models.latent_codec import LatentCodec

PREVIEW_FILE = "preview.json"
"""A file in a model's folder: {"weight": [[…] × C], "bias": […]}, both with 3·p² columns."""

_PIXELS = 8
"""A computed preview has one pixel for at most 8 × 8 pixels of the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class PreviewMatrix:
    """A linear map from latents to pixels: latent · weight + bias is p × p pixels in about [-1, 1].

    weight: float32 (C, 3·p²), bias: float32 (3·p²); p = 1 for Stable Diffusion.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def render(self, latents: torch.Tensor) -> torch.Tensor:
        """Render scaled latents (N, C, h, w) as uint8 (N, p·h, p·w, 3) RGB on their device."""
        values = torch.einsum("nchw,cp->nphw", latents.float(), self.weight)
        values = values + self.bias[:, None, None]
        pictures = pixel_shuffle(values, round((len(self.bias) / 3) ** 0.5))
        return ((pictures / 2 + 0.5).clamp(0, 1) * 255).to(torch.uint8).permute(0, 2, 3, 1)

    def to(self, device: torch.device) -> PreviewMatrix:
        """Copy to a device."""
        return PreviewMatrix(self.weight.to(device), self.bias.to(device))


def find_matrix(folder: Path | None, codec: LatentCodec, known: PreviewMatrix) -> PreviewMatrix:
    """Find a model's matrix: in its own file, or else its family's matrix, if the number of
    channels fits. Otherwise compute a matrix.
    """
    if folder is not None and (folder / PREVIEW_FILE).is_file():
        content = json.loads((folder / PREVIEW_FILE).read_text("utf-8"))
        return PreviewMatrix(torch.tensor(content["weight"]), torch.tensor(content["bias"]))
    if codec.vae.config.get("latent_channels") == len(known.weight):
        return known
    return fit_to_codec(codec)


@torch.inference_mode()
def fit_to_codec(codec: LatentCodec, num_pictures: int = 48, latent_side: int = 4) -> PreviewMatrix:
    """Compute a matrix for an unknown model.

    It is fitted to smooth random pictures and to the latents that the VAE makes of them.
    """
    random = torch.Generator().manual_seed(0)
    side, patch = latent_side * codec.factor, max(1, codec.factor // _PIXELS)
    noise = torch.rand(num_pictures, 3, *[latent_side * patch] * 2, generator=random) * 2 - 1
    pictures = interpolate(noise, size=(side, side), mode="bilinear")
    latents = torch.cat([codec.encode_mode(batch) for batch in pictures.split(4)])
    return fit_matrix(latents.float().cpu(), pictures, patch)


def fit_matrix(latents: torch.Tensor, pictures: torch.Tensor, patch: int) -> PreviewMatrix:
    """Fit a matrix by least squares.

    It turns scaled latents (N, C, h, w) into pictures (N, 3, H, W) in [-1, 1].
    """
    size = (patch * latents.shape[2], patch * latents.shape[3])
    targets = pixel_unshuffle(interpolate(pictures, size=size, mode="area"), patch)
    known = latents.movedim(1, -1).flatten(0, 2)
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1).double()
    wanted = targets.movedim(1, -1).flatten(0, 2).double()
    # A little ridge regression, because the channels of a latent may be correlated.
    gram = known.T @ known + 1e-3 * len(known) * torch.eye(known.shape[1]).double()
    solution = torch.linalg.solve(gram, known.T @ wanted).float()
    return PreviewMatrix(solution[:-1], solution[-1])
