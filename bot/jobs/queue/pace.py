"""How fast each engine draws."""

from __future__ import annotations


class Pace:
    """How fast one engine draws, from the last jobs it finished: cost per second.

    It learns from estimates and all the seconds they took, whatever was charged, so that waiting
    times, which are made of estimates too, are neither too long nor too short.
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
        """None until the first job is done."""
        if not self._samples:
            return None
        return sum(cost for cost, _ in self._samples) / sum(spent for _, spent in self._samples)

    def measure(self, cost_estimate: float, gpu_seconds: float) -> float:
        """A finished job's cost: its GPU time at this engine's pace, at most the estimate.

        That a device was slow, for a moment or always, is not the member's fault.
        """
        pace = self.cost_per_second
        return min(gpu_seconds * pace, cost_estimate) if pace else cost_estimate


class Paces:
    """The pace of every engine that is there, by its id."""

    def __init__(self) -> None:
        self._by_engine: dict[str, Pace] = {}

    def of(self, engine: str) -> Pace:
        """This engine's own, which knows nothing at first."""
        return self._by_engine.setdefault(engine, Pace())

    @property
    def cost_per_second(self) -> float | None:
        """Of all of them together, as they draw side by side; None until one has drawn."""
        return sum(pace.cost_per_second or 0.0 for pace in self._by_engine.values()) or None
