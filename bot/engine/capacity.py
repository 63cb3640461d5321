"""How much is drawn at once, without torch: the jobs ask from the event loop's thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.engine.face import NUM_IMAGES, GenerationRequest, ModelInfo

_ROUNDING = 1e-9


def count_default_rows(info: ModelInfo) -> int:
    """Count the rows of two requests with the model's own settings."""
    return 2 * NUM_IMAGES * (2 if info.guidance_scale > 1 else 1)


@dataclass(slots=True)
class Capacity:
    """Rows of the UNet's batch, for latents of native size; other sizes count by their area.

    rows: how many are shared out, the larger of the knee (the fewest rows with 95 % of the best
    rows per second) and two default requests, so that a short job never waits behind a long one.
    max_rows: how many fit into memory; None if that never was a question.
    """

    info: ModelInfo
    rows: int
    max_rows: int | None = None

    @classmethod
    def from_knee(cls, info: ModelInfo, knee: int, max_rows: int | None) -> Capacity:
        """Settle on the rows, given the knee and the rows that memory allows."""
        rows = max(knee, count_default_rows(info))
        return cls(info, rows if max_rows is None else min(rows, max_rows), max_rows)

    def fits(self, others: Iterable[GenerationRequest], request: GenerationRequest) -> bool:
        """Whether a request can join others; one that is larger than everything goes alone."""
        shares = [self._share(other) for other in others]
        return not shares or sum(shares) + self._share(request) <= 1 + _ROUNDING

    def limit(self, width: int, height: int) -> int | None:
        """Return how many rows of such pictures may step at once, at least 2; None for any."""
        if self.max_rows is None:
            return None
        return max(2, int(self.max_rows / self._area(width, height)))

    def count_rows(self, width: int, height: int) -> int:
        """Return how many rows of such pictures make the batch full."""
        return max(1, int(self.rows / self._area(width, height)))

    def halve(self, num_rows: int, width: int, height: int) -> None:
        """Remember that so many rows were too many."""
        self.max_rows = max(1, int(num_rows / 2 * self._area(width, height)))
        self.rows = min(self.rows, self.max_rows)

    def _share(self, request: GenerationRequest) -> float:
        num_rows = len(request.seeds) * (2 if request.guidance_scale > 1 else 1)
        return num_rows * self._area(request.width, request.height) / self.rows

    def _area(self, width: int, height: int) -> float:
        return (width * height) / (self.info.width * self.info.height)
