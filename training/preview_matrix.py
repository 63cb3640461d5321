"""Fit the matrix that turns a latent into a small picture: python -m training.preview_matrix"""

from __future__ import annotations

import argparse
import json

from bot.engine.models.latent_preview import PREVIEW_FILE, fit_matrix
from training.basis import Basis, read_basis
from training.compose import Composer
from training.config import Run, add_common_arguments, run_from

SCENES = 500
PATCH = 4
"""Pixels per side of the preview, for each cell of the latent."""


def fit(composer: Composer, basis: Basis, seed: int, count: int) -> dict[str, object]:
    """Fit weight (channels, 3·PATCH²) and bias (3·PATCH²) for ``engine/models/latent_preview``."""
    pictures = composer.compose(count, seed, "preview").pixels.cpu() * 2 - 1
    matrix = fit_matrix(basis.encode(pictures), pictures, PATCH)
    return {
        "weight": [[round(value, 4) for value in row] for row in matrix.weight.tolist()],
        "bias": [round(value, 4) for value in matrix.bias.tolist()],
    }


def write(run: Run) -> dict[str, object]:
    basis = read_basis(run.work / "autoencoder" / "basis.pt")
    count = min(SCENES, run.config.basis_scenes)
    fitted = fit(Composer.of(run), basis, run.seed, count)
    run.path(PREVIEW_FILE).write_text(json.dumps(fitted) + "\n", encoding="utf-8")
    return fitted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    write(run_from(parser.parse_args()))


if __name__ == "__main__":
    main()
