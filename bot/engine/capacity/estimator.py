"""Says whether a request fits into an engine and what it costs, also in another process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.recipes import Recipe
from bot.engine.capacity.capacity import Capacity
from bot.engine.capacity.cost import CostModel


@dataclass(frozen=True, slots=True)
class ModelEstimator:
    """An engine's cost model and its capacity at one moment."""

    costs: CostModel
    capacity: Capacity

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        """Return whether a request fits beside the others. A single request always fits."""
        return self.capacity.fits(others, recipe)

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work in default requests of the default model."""
        return self.costs.estimate(recipe)
