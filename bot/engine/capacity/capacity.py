"""How much is drawn at once, without torch: the jobs ask from the event loop's thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.domain.recipes import Recipe
from bot.engine.api import NUM_IMAGES, ModelInfo

NUM_SHIFTS = 2
"""Requests in flight may need so many times the rows of one step: those that a step has no rows
for have their first steps done and wait their turn (``Group.select``)."""

_ROUNDING = 1e-9


def count_default_rows(info: ModelInfo) -> int:
    """Count the rows of two requests with the model's own settings."""
    return 2 * NUM_IMAGES * (2 if info.guidance_scale > 1 else 1)


@dataclass(slots=True)
class Capacity:
    """Rows of the UNet's batch, for latents of native size; other sizes count by their area.

    rows: how many step at once, the larger of the knee (the fewest rows with 95 % of the best
    rows per second) and two default requests, bounded by memory. What was too much later holds
    for pictures of that size and larger ones: attention needs more memory than the area says.
    """

    info: ModelInfo
    rows: int
    _limits: dict[int, int] = field(default_factory=dict[int, int], init=False)  # by pixels

    @classmethod
    def from_knee(cls, info: ModelInfo, knee: int, max_rows: int | None) -> Capacity:
        """Settle on the rows, given the knee and the rows that memory allows, if it was asked."""
        rows = max(knee, count_default_rows(info))
        return cls(info, rows if max_rows is None else min(rows, max_rows))

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        """Whether a request can join others; one that is larger than everything goes alone."""
        shares = [self._share(other) for other in others]
        return not shares or sum(shares) + self._share(recipe) <= NUM_SHIFTS + _ROUNDING

    def count_rows(self, width: int, height: int) -> int:
        """Return how many rows of such pictures step at once."""
        return max(1, int(self._limit(width, height) + _ROUNDING))

    def count_slots(self, width: int, height: int) -> int:
        """Return how many such pictures, unguided, can be in flight, however much is halved."""
        return int(NUM_SHIFTS * self.rows / self._area(width, height) + _ROUNDING)

    def halve(self, num_rows: int, width: int, height: int) -> None:
        """Remember that so many rows were too many."""
        # A new dict: another thread may be reading this one.
        self._limits = {**self._limits, width * height: max(1, num_rows // 2)}

    def _share(self, recipe: Recipe) -> float:
        num_rows = len(recipe.seeds) * (2 if recipe.drawn_guidance_scale > 1 else 1)
        return num_rows / self._limit(*recipe.size)

    def _limit(self, width: int, height: int) -> float:
        pixels = width * height
        limits = [rows * n / pixels for n, rows in self._limits.items() if n <= pixels]
        return min([self.rows / self._area(width, height), *limits])

    def _area(self, width: int, height: int) -> float:
        return (width * height) / (self.info.width * self.info.height)
