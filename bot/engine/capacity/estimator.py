"""Says whether a request fits into an engine and what it costs, also in another process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.recipes import Recipe
from bot.engine.api import Swapping
from bot.engine.capacity.capacity import Capacity, fit_together
from bot.engine.capacity.cost import CostModel


@dataclass(frozen=True, slots=True)
class ModelEstimator:
    """A model's cost model and its capacity at one moment."""

    costs: CostModel
    capacity: Capacity

    @property
    def swapping(self) -> Swapping | None:
        """Return None, because there is only one model."""
        return None

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        """Return whether a request fits beside the others. A single request always fits."""
        return self.capacity.fits(others, recipe)

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work in default requests of the default model."""
        return self.costs.estimate(recipe)


@dataclass(frozen=True, slots=True)
class ModelsEstimator:
    """The estimators of an engine's models, by id, the default model's first. Not empty.

    If the device holds all models, their requests share its room. If not, the requests of a model
    only need room beside those of the same model, because the others rest.
    """

    models: Mapping[str, ModelEstimator]
    swapping: Swapping | None = None

    def fits(self, others: Iterable[Recipe], recipe: Recipe) -> bool:
        """Return whether a request fits beside the others. A single request always fits."""
        mine = self._find(recipe)
        if self.swapping is not None:
            return mine.fits([each for each in others if self._find(each) is mine], recipe)
        shares = [self._find(each).capacity.share(each) for each in others]
        return fit_together(shares, mine.capacity.share(recipe))

    def cost(self, recipe: Recipe) -> float:
        """Estimate the work in default requests of the default model."""
        return self._find(recipe).cost(recipe)

    def _find(self, recipe: Recipe) -> ModelEstimator:
        default = next(iter(self.models.values()))
        return self.models.get(recipe.model or "", default)
