"""Where one, two or three subjects of a picture stand or float."""

from __future__ import annotations

from training.captions import Spec
from training.config import Config
from training.draws import Draw
from training.painters import PIXELS
from training.scenes import SCENE_NAMES, SCENES
from training.vocabulary import SUBJECTS, Kind

GROUND_Y = 118  # the row on which a subject stands
BEHIND = 32  # by how many pixels a subject further back is higher
APART = 16  # by how many pixels floating subjects in front are lower, so that three do not touch
# The columns of the subjects' middles. In each row, they differ by whole latent cells, so that
# the latents are alike.
PAIRS = ((24, 88), (40, 104), (24, 104))
TRIOS = ((56, 24, 88), (72, 40, 104))  # the first one is behind the others


def floats(spec: Spec) -> bool:
    assert spec.subject is not None
    kind = SUBJECTS[spec.subject].kind
    if spec.is_plain or kind is Kind.FLYER:
        return True
    scene = SCENES[SCENE_NAMES.index(spec.place)]
    return scene.floats or (scene.swims and kind is Kind.SWIMMER)


def places(specs: list[Spec], config: Config, draw: Draw) -> list[list[tuple[int, int]]]:
    """Return for each picture the (x, y) of its subjects, back to front.

    (x, y) is the middle of a floating subject, and the middle of the foot of a standing one.
    """
    n = len(specs)
    offsets = draw.integers(0, len(config.offsets) - 1, n).tolist()
    rows = draw.uniform(0, 1, n).tolist()
    return [
        [] if spec.subject is None else _of_one(spec, config.offsets[offset], row)
        for spec, offset, row in zip(specs, offsets, rows, strict=True)
    ]


def _of_one(spec: Spec, offset: int, row: float) -> list[tuple[int, int]]:
    is_floating = floats(spec)
    y = PIXELS // 2 if is_floating else GROUND_Y
    if spec.count == 1:
        return [(PIXELS // 2 + offset, y)]
    if spec.count == 2:
        return [(x, y) for x in PAIRS[int(row * len(PAIRS))]]
    behind, *front = TRIOS[int(row * len(TRIOS))]
    return [(behind, y - BEHIND), *((x, y + APART * is_floating) for x in front)]
