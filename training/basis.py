"""The fixed linear latents: principal components of 16 × 16 pixel patches.

With them, only the decoder must be trained, latents exist from the start, and encoding is one
matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from training.compose import CELL, Composer
from training.config import Run
from training.loop import save_atomically

_SCALE_POWER = 0.6  # latents are divided by sd ** 0.6, so fine detail counts more than in pixels
_BATCH = 250


@dataclass(frozen=True, slots=True)
class Basis:
    encoder: torch.Tensor  # (channels, 768)
    decoder: torch.Tensor  # (channels, 768)
    mean: torch.Tensor  # (768,)

    def to(self, device: torch.device) -> Basis:
        return Basis(self.encoder.to(device), self.decoder.to(device), self.mean.to(device))

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """Turn pictures (n, 3, h, w) in -1…1 into latents (n, channels, h/16, w/16)."""
        return ((patches_of(pictures) - self.mean) @ self.encoder.T).permute(0, 3, 1, 2)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        patches = latents.permute(0, 2, 3, 1) @ self.decoder + self.mean
        n, rows, columns, _ = patches.shape
        grid = patches.view(n, rows, columns, CELL, CELL, 3).permute(0, 5, 1, 3, 2, 4)
        return grid.reshape(n, 3, rows * CELL, columns * CELL)


def patches_of(pictures: torch.Tensor) -> torch.Tensor:
    """Cut pictures (n, 3, h, w) into patches (n, h/16, w/16, 768), each as rows of RGB pixels."""
    n, _, height, width = pictures.shape
    grid = pictures.reshape(n, 3, height // CELL, CELL, width // CELL, CELL)
    return grid.permute(0, 2, 4, 3, 5, 1).reshape(n, height // CELL, width // CELL, -1)


def fit_basis(composer: Composer, run: Run, known: Basis | None = None) -> Basis:
    """Return eigenvectors of the patch covariance, with fixed signs.

    Components in `known` stay as they are. The new ones are fitted to what these leave over.
    """
    wanted = run.config.latent_channels - (0 if known is None else len(known.encoder))
    if known is not None and wanted == 0:
        return known
    total, products, count = torch.zeros(768), torch.zeros(768, 768), 0
    for number in range(max(1, run.config.basis_scenes // _BATCH)):
        scenes = composer.compose(min(_BATCH, run.config.basis_scenes), run.seed, "basis", number)
        pictures = scenes.pixels.cpu() * 2 - 1
        patches = patches_of(pictures).reshape(-1, 768)
        if known is not None:
            patches = patches - patches_of(known.decode(known.encode(pictures))).reshape(-1, 768)
        total += patches.sum(0)
        products += patches.T @ patches
        count += len(patches)
    mean = total / count
    values, vectors = torch.linalg.eigh((products / count - mean.outer(mean)).double())
    order = values.argsort(descending=True)[:wanted]
    components = vectors.T[order]
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))
    components = (components * largest.sign()).float()
    deviation = values[order].clamp(min=1e-8).sqrt()
    scale = (deviation**_SCALE_POWER).float()
    if known is None:
        scale = scale * ((deviation.float() / scale) ** 2).mean().sqrt()
        return Basis(components / scale[:, None], components * scale[:, None], mean)
    return Basis(
        torch.cat([known.encoder, components / scale[:, None]]),
        torch.cat([known.decoder, components * scale[:, None]]),
        known.mean,
    )


def read_off(encode: Callable[[torch.Tensor], torch.Tensor], composer: Composer, run: Run) -> Basis:
    """Find the basis that an encoder was trained on, by least squares on composed scenes.

    Only directions in which patches vary are used. In the others, the encoder's errors would look
    like a signal.
    """
    patches, latents = [], []
    for number in range(max(1, run.config.basis_scenes // _BATCH)):
        scenes = composer.compose(min(_BATCH, run.config.basis_scenes), run.seed, "basis", number)
        for part in (scenes.pixels * 2 - 1).split(50):
            patches.append(patches_of(part).reshape(-1, 768).cpu())
            latents.append(encode(part).permute(0, 2, 3, 1).flatten(0, 2).cpu())
    known, wanted = torch.cat(patches).double(), torch.cat(latents).double()
    mean, middle = known.mean(0), wanted.mean(0)
    known, wanted = known - mean, wanted - middle
    covariance = known.T @ known
    values, vectors = torch.linalg.eigh(covariance)
    span = vectors[:, values.argsort(descending=True)[: 2 * wanted.shape[1]]]
    inner = torch.linalg.solve(span.T @ covariance @ span, span.T @ (known.T @ wanted))
    encoder = (span @ inner).T
    decoder = torch.linalg.pinv(encoder).T
    mean = mean - middle @ decoder
    return Basis(encoder.float(), decoder.float(), mean.float())


def write_basis(basis: Basis, path: Path) -> None:
    state = {"encoder": basis.encoder, "decoder": basis.decoder, "mean": basis.mean}
    save_atomically(state, path)


def read_basis(path: Path) -> Basis:
    return Basis(**torch.load(path, weights_only=True))
