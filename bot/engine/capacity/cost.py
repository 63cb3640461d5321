"""Counts a request's work. Needs no torch, because jobs ask from the event loop's thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.recipes import Recipe
from bot.engine.api import NUM_IMAGES, ModelInfo
from bot.engine.capacity.tile_plan import measure_area


@dataclass(frozen=True, slots=True)
class CostModel:
    """The work of one model at its native size, in FLOP.

    row_flop: one row (one latent in the model's batch). decode_flop: one picture.
    evaluations: (a, b) per sampler: n steps take a·n + b UNet calls.
    unit_flop: one default request of the default model; None if this is the default model.

    Work grows with the number of pixels; pixels that several tiles share count once per tile. The
    quadratic part of attention is left out.
    """

    info: ModelInfo
    row_flop: float
    decode_flop: float
    evaluations: Mapping[str, tuple[int, int]]
    unit_flop: float | None = None

    @property
    def request_flop(self) -> float:
        """Return the work of this model's default request."""
        info = self.info
        return self._flop(
            NUM_IMAGES, info.num_inference_steps, info.guidance_scale, info.default_sampler
        )

    @property
    def factor(self) -> float:
        """Return the cost of this model's default request; the default model's costs 1.0."""
        return self.request_flop / self._unit

    def estimate(self, recipe: Recipe) -> float:
        """Return a recipe's work in default requests of the default model; 0.0 if there is none."""
        work = self._flop(
            len(recipe.seeds),
            max(int((recipe.num_inference_steps or 0) * recipe.strength), 1),
            recipe.drawn_guidance_scale,
            recipe.sampler or self.info.default_sampler,
            recipe.guidance_until,
        )
        return measure_area(self.info, recipe) * work / self._unit

    @property
    def _unit(self) -> float:
        return self.request_flop if self.unit_flop is None else self.unit_flop

    def _flop(
        self,
        pictures: int,
        steps: int,
        guidance_scale: float,
        sampler: str,
        guidance_until: float = 1.0,
    ) -> float:
        slope, offset = self.evaluations.get(sampler, (1, 0))
        rows = 1 + guidance_until * (self.info.count_rows(guidance_scale) - 1)
        return pictures * ((slope * steps + offset) * rows * self.row_flop + self.decode_flop)
