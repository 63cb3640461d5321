"""Limits how much is drawn at once. Needs no torch, because the event loop runs it too."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from bot.domain.recipes import Recipe
from bot.engine.api import NUM_IMAGES, ModelInfo
from bot.engine.capacity.buckets import BUCKETS

NUM_SHIFTS = 2
"""This many times the rows of one step may be in flight. The others wait for their turn."""

_MAX_SLOTS = NUM_SHIFTS * BUCKETS[-1]
"""No more pictures are in flight, however small they are, because each keeps two texts: 8 MB for
FLUX.1, 16 MB for FLUX.2.
"""

_UPSCALING_SHARE = 0.25
"""A request that only enlarges counts as this share of a step's rows: its pictures take memory."""

_ROUNDING = 1e-9


def fit_together(others: Collection[float], share: float) -> bool:
    """Return whether one more request fits beside the others. A single request always fits."""
    return not others or sum(others) + share <= NUM_SHIFTS + _ROUNDING


def measure_load(info: ModelInfo, width: int, height: int, *, is_edit: bool) -> tuple[int, int]:
    """Return width and height of a picture that takes as much work in each step as this one.

    To edit a picture, the network reads a reference picture beside it.
    """
    return width, round(height * info.count_read(width, height, is_edit=is_edit))


def count_default_rows(info: ModelInfo) -> int:
    """Count the rows that two requests with the model's default settings take."""
    return 2 * NUM_IMAGES * info.count_rows(info.guidance_scale)


@dataclass(slots=True)
class Capacity:
    """Limits the rows of the UNet's batch. Rows that are not of native size count by their area.

    rows: how many rows step at once. This is the knee (the fewest rows that reach 95 % of the best
    speed) or the rows of two default requests, if these are more. It is never more than fit in
    memory. The engine thread changes it when it has learned a better number, while other threads
    read it. If memory runs out later, the lower limit applies to that size and larger ones, because
    attention needs more memory than the area suggests.
    """

    info: ModelInfo
    rows: int
    # the lowered limits, by the number of pixels
    _limits: dict[int, int] = field(default_factory=dict[int, int], init=False)

    @classmethod
    def from_knee(cls, info: ModelInfo, knee: int, max_rows: int | None) -> Capacity:
        """Choose the number of rows by the knee and, if known, the most that fit in memory."""
        rows = max(knee, count_default_rows(info))
        return cls(info, rows if max_rows is None else min(rows, max_rows))

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        """Return whether a request fits beside the others. A single request always fits."""
        return fit_together([self.share(other) for other in others], self.share(recipe))

    def share(self, recipe: Recipe) -> float:
        """Return a request's rows as a share of those that step at once."""
        if recipe.is_upscaled:
            return _UPSCALING_SHARE
        if min(recipe.size) < 1:
            return 0.0  # the runner rejects it
        num_rows = len(recipe.seeds) * self.info.count_rows(recipe.drawn_guidance_scale)
        load_size = measure_load(self.info, *recipe.size, is_edit=recipe.is_edit)
        return max(num_rows / self._limit(*load_size), len(recipe.seeds) * NUM_SHIFTS / _MAX_SLOTS)

    def count_rows(self, width: int, height: int, rows: int | None = None) -> int:
        """Return how many rows of this size step at once. rows: the limit in native rows."""
        return max(1, int(self._limit(width, height, rows) + _ROUNDING))

    def count_native_rows(self, num_rows: int, width: int, height: int) -> float:
        """Return how many rows of native size have the same area as these."""
        return num_rows * self._area(width, height)

    def count_slots(self, width: int, height: int) -> int:
        """Return how many unguided pictures of this size one group can hold."""
        slots = int(NUM_SHIFTS * self.rows / self._area(width, height) + _ROUNDING)
        return min(slots, _MAX_SLOTS)

    def halve(self, num_rows: int, width: int, height: int) -> None:
        """Halve the limit for this size, because this many rows did not fit in memory."""
        # Make a new dict, because another thread may be reading the old one.
        self._limits = {**self._limits, width * height: max(1, num_rows // 2)}

    def _limit(self, width: int, height: int, rows: int | None = None) -> float:
        pixels = width * height
        limits = [rows * n / pixels for n, rows in self._limits.items() if n <= pixels]
        return min([(rows or self.rows) / self._area(width, height), *limits])

    def _area(self, width: int, height: int) -> float:
        return (width * height) / (self.info.width * self.info.height)
