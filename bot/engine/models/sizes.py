"""Measures the parts of a checked model by the headers of its files, without torch."""

from __future__ import annotations

from bot.engine.capacity.memory import PartSize, measure_part
from bot.engine.models.folders import CheckedFolder
from bot.engine.models.single_files import CheckedFile, list_tensors


def measure(found: CheckedFolder | CheckedFile, width: int = 2) -> tuple[PartSize, ...]:
    """Measure the parts that a checked model holds. width: bytes of each number once loaded."""
    if isinstance(found, CheckedFile):
        parts = {part: list_tensors(found, part) for part in found.parts}
    else:
        parts = {part: weights.tensors for part, weights in found.weights.items()}
    return tuple(measure_part(part, tensors, width) for part, tensors in parts.items())
