"""Decides when an enlarged picture is tiled, and counts how much work that is. Needs no torch."""

from __future__ import annotations

import math

from bot.domain.recipes import Recipe
from bot.engine.api import ModelInfo

MAX_FACTOR = 2
"""Enlarged pictures up to this many times the model's native sides are drawn in one pass."""

OVERLAP = 1 / 4
"""Neighbouring tiles overlap by at least this share of a tile."""


def must_tile(info: ModelInfo, recipe: Recipe) -> bool:
    """Return whether a picture must be tiled, even if there is memory for one pass."""
    width, height = recipe.size
    is_large = width > MAX_FACTOR * info.width or height > MAX_FACTOR * info.height
    return recipe.is_enlarged and is_large


def count_tiles(side: int, tile: int) -> int:
    """Count the tiles along one axis."""
    return 1 if side <= tile else 1 + math.ceil((side - tile) / (tile * (1 - OVERLAP)))


def measure_area(info: ModelInfo, recipe: Recipe) -> float:
    """Return how many pixels pass through the model; 1.0 is one picture of native size."""
    width, height = recipe.size
    if not must_tile(info, recipe):
        return (width * height) / (info.width * info.height)
    area = min(width, info.width) * min(height, info.height)
    num_tiles = count_tiles(width, info.width) * count_tiles(height, info.height)
    return num_tiles * area / (info.width * info.height)
