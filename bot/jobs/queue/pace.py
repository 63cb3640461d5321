"""How fast this machine draws."""

from __future__ import annotations


class Pace:
    """How fast this machine draws, from the last jobs it finished: cost per second."""

    def __init__(self, max_samples: int = 50) -> None:
        self._samples: list[tuple[float, float]] = []
        self.max_samples = max_samples

    def add(self, cost_estimate: float, gpu_seconds: float) -> None:
        """Learn from one finished job."""
        if cost_estimate > 0 and gpu_seconds > 0:
            self._samples = [*self._samples[1 - self.max_samples :], (cost_estimate, gpu_seconds)]

    @property
    def cost_per_second(self) -> float | None:
        """None until the first job is done."""
        if not self._samples:
            return None
        return sum(cost for cost, _ in self._samples) / sum(spent for _, spent in self._samples)

    def measure(self, cost_estimate: float, gpu_seconds: float) -> float:
        """A finished job's cost: its GPU time at this machine's pace, or the estimate at first."""
        pace = self.cost_per_second
        return gpu_seconds * pace if pace else cost_estimate
