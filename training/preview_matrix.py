"""Fit RGB = latents · matrix + bias for previews: python -m training.preview_matrix"""

from __future__ import annotations

import argparse
import json

import torch
import torch.nn.functional as F  # noqa: N812

from training.basis import Basis, read_basis
from training.compose import CELL, Composer
from training.config import Run, add_common_arguments, run_from

SCENES = 500


def fit(composer: Composer, basis: Basis, seed: int, count: int) -> dict[str, object]:
    """matrix (channels, 3) and bias (3,), for pictures 0…1 with one pixel per latent cell."""
    pictures = composer.compose(count, seed, "preview").pixels.cpu()
    latents = basis.encode(pictures * 2 - 1)
    rows = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    colours = F.avg_pool2d(pictures, CELL).permute(0, 2, 3, 1).reshape(-1, 3)
    design = torch.cat([rows, torch.ones(len(rows), 1)], 1)
    solution = torch.linalg.lstsq(design, colours).solution
    error = (design @ solution - colours).abs().mean().item()
    rounded = [[round(value, 5) for value in row] for row in solution.tolist()]
    return {"matrix": rounded[:-1], "bias": rounded[-1], "mean_absolute_error": round(error, 5)}


def write(run: Run) -> dict[str, object]:
    basis = read_basis(run.work / "autoencoder" / "basis.pt")
    count = min(SCENES, run.config.basis_scenes)
    fitted = fit(Composer.of(run), basis, run.seed, count)
    run.path("preview.json").write_text(json.dumps(fitted) + "\n", encoding="utf-8")
    return fitted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    fitted = write(run_from(parser.parse_args()))
    print(f"mean absolute error {fitted['mean_absolute_error']} of 1")


if __name__ == "__main__":
    main()
