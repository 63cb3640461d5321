"""Measures how fast an engine draws."""

from __future__ import annotations


class Pace:
    """Measures how fast one engine draws, in cost per second, by the last jobs that it finished.

    It divides the estimated cost of these jobs, not the charged cost, by their seconds. Waiting
    times are computed from estimated costs too.
    """

    def __init__(self, max_samples: int = 50) -> None:
        self._samples: list[tuple[float, float]] = []
        self.max_samples = max_samples

    def add(self, cost_estimate: float, gpu_seconds: float) -> None:
        """Learn from one finished job."""
        if cost_estimate > 0 and gpu_seconds > 0:
            self._samples = [*self._samples[1 - self.max_samples :], (cost_estimate, gpu_seconds)]

    @property
    def cost_per_second(self) -> float | None:
        """Return the pace, or None until the first job is done."""
        if not self._samples:
            return None
        return sum(cost for cost, _ in self._samples) / sum(spent for _, spent in self._samples)

    def measure(self, cost_estimate: float, gpu_seconds: float) -> float:
        """Return a finished job's cost: its GPU time multiplied by this engine's pace.

        The cost is never more than the estimate, so a slow device does not make a prompt cost more.
        """
        pace = self.cost_per_second
        return min(gpu_seconds * pace, cost_estimate) if pace else cost_estimate
