"""Measures how many drawn pictures are nearly copies of a training scene."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812

from training.captions import Spec, is_held_out
from training.compose import Composer
from training.config import Run
from training.prompts import Prompt
from training.vocabulary import SUBJECT_NAMES

SCENES_PER_PROMPT = 64
SIDE = 32  # pixels at which pictures are compared
QUANTILE = 0.05


def _nearest(pictures: torch.Tensor, scenes: torch.Tensor) -> torch.Tensor:
    """Return the root mean square distance of each picture to the nearest scene."""
    a = F.interpolate(pictures, SIDE, mode="area").flatten(1)
    b = F.interpolate(scenes, SIDE, mode="area").flatten(1)
    return torch.cdist(a, b).amin(1) / a.shape[1] ** 0.5


def share(run: Run, prompts: list[Prompt], pictures: torch.Tensor) -> float | None:
    """Return the share of trained pairs whose picture is nearly a copy; None without sprites.

    Such a picture is nearer to one of 64 training scenes of its pair than 95 of 100 new real scenes
    are.
    """
    if not (run.work / "sprites.npz").is_file():
        return None
    composer = Composer.of(run)
    near = total = 0
    for number, (prompt, picture) in enumerate(zip(prompts, pictures, strict=True)):
        subject = SUBJECT_NAMES.index(prompt.subject)
        if is_held_out(subject, prompt.scene):
            continue  # training has no scene of this pair
        specs = [Spec(subject, prompt.scene, run.config.styles[0])]
        known = composer.compose_specs(specs * SCENES_PER_PROMPT, run.seed, "known", number)
        fresh = composer.compose_specs(specs * 20, run.seed, "fresh", number)
        limit = _nearest(fresh.pixels, known.pixels).quantile(QUANTILE)
        near += int(_nearest(picture[None].to(run.device), known.pixels)[0] < limit)
        total += 1
    return round(near / max(1, total), 4)
