"""Measures how fast each engine draws."""

from __future__ import annotations


class Pace:
    """Measures how fast one engine draws, in cost per second, on the last jobs it finished.

    It divides a job's estimated cost, not the cost that was charged, by the seconds it took.
    Waiting times are computed from estimated costs too, so they fit.
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
        """Return a finished job's cost: its GPU time multiplied by this engine's pace, but never
        more than the estimate. So no member pays more because a device was slow.
        """
        pace = self.cost_per_second
        return min(gpu_seconds * pace, cost_estimate) if pace else cost_estimate


class Paces:
    """The pace of every engine, by its id."""

    def __init__(self) -> None:
        self._by_engine: dict[str, Pace] = {}

    def of(self, engine: str) -> Pace:
        """Return the pace of one engine; it is empty at first."""
        return self._by_engine.setdefault(engine, Pace())

    @property
    def cost_per_second(self) -> float | None:
        """Return the pace of all engines together, because they draw in parallel. None at first."""
        return sum(pace.cost_per_second or 0.0 for pace in self._by_engine.values()) or None
