"""When an enlarged picture is tiled, and how much work that is; without torch."""

from __future__ import annotations

import math

from bot.engine.api import GenerationRequest, ModelInfo

MAX_FACTOR = 2
"""An enlarged picture is drawn in one pass up to so many times the model's native sides."""

OVERLAP = 1 / 4
"""The share of a tile that its neighbour covers, too, at least."""


def must_tile(info: ModelInfo, request: GenerationRequest) -> bool:
    """Whether a request is tiled however much memory there is."""
    return request.may_tile and (
        request.width > MAX_FACTOR * info.width or request.height > MAX_FACTOR * info.height
    )


def count_tiles(side: int, tile: int) -> int:
    """Count the tiles along one axis."""
    return 1 if side <= tile else 1 + math.ceil((side - tile) / (tile * (1 - OVERLAP)))


def measure_area(info: ModelInfo, request: GenerationRequest) -> float:
    """Return the pixels that pass through the model, in pictures of native size."""
    if not must_tile(info, request):
        return (request.width * request.height) / (info.width * info.height)
    area = min(request.width, info.width) * min(request.height, info.height)
    num_tiles = count_tiles(request.width, info.width) * count_tiles(request.height, info.height)
    return num_tiles * area / (info.width * info.height)
