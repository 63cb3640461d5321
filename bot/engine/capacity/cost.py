"""Counts a request's work. Needs no torch, because the event loop runs it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.domain.recipes import Recipe
from bot.engine.api import NUM_IMAGES, ModelInfo, UpscalerInfo
from bot.engine.capacity.tile_plan import measure_area
from bot.engine.upscaling.tiles import cut


@dataclass(frozen=True, slots=True)
class CostModel:
    """The work of one model at its native size, in FLOP.

    row_flop: one row (one latent in the model's batch). decode_flop: one picture.
    evaluations: (a, b) per sampler: n steps take a·n + b UNet calls.
    unit_flop: one default request of the default model; None if this is the default model.

    Work grows with the number of pixels; pixels that several tiles share count once per tile. To
    edit a picture, the network reads two. The quadratic part of attention is left out.
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
        ) + self._showing_flop(NUM_IMAGES, info.width, info.height)

    @property
    def factor(self) -> float:
        """Return the cost of this model's default request; the default model's costs 1.0."""
        return self.request_flop / self._unit

    def estimate(self, recipe: Recipe) -> float:
        """Return a recipe's work in default requests of the default model; 0.0 if it has none."""
        if recipe.start is not None and recipe.start.upscaled:
            return self._upscaling_flop(*recipe.size, recipe.start.upscaled) / self._unit
        work = self._flop(
            len(recipe.seeds),
            max(int((recipe.num_inference_steps or 0) * recipe.strength), 1),
            recipe.drawn_guidance_scale,
            recipe.sampler or self.info.default_sampler,
            recipe.guidance_until,
            pictures_read=self.info.count_read(*recipe.size, is_edit=recipe.is_edit),
        )
        showing = self._showing_flop(len(recipe.seeds), *recipe.size)
        return (measure_area(self.info, recipe) * work + showing) / self._unit

    def with_upscaler(self, upscaler: UpscalerInfo) -> CostModel:
        """Return a cost model that also counts the work of enlarging."""
        whole = replace(self, info=replace(self.info, upscaler=upscaler))
        priced = replace(whole.info, request_flop=whole.request_flop, cost_factor=whole.factor)
        return replace(whole, info=priced)

    def _showing_flop(self, pictures: int, width: int, height: int) -> float:
        if self.info.find_shown_factor(width, height) is None:
            return 0.0
        return pictures * self._upscaling_flop(width, height, 1)

    def _upscaling_flop(self, width: int, height: int, factor: int) -> float:
        """Return the work to enlarge a picture. width, height: the size of the result."""
        upscaler = self.info.upscaler
        if upscaler is None:
            return 0.0
        tiles = cut(width // factor, height // factor, upscaler.margin_pixels)
        return upscaler.flop_per_pixel * sum(tile.num_pixels for tile in tiles)

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
        pictures_read: float = 1.0,
    ) -> float:
        slope, offset = self.evaluations.get(sampler, (1, 0))
        rows = 1 + guidance_until * (self.info.count_rows(guidance_scale) - 1)
        step_flop = rows * pictures_read * self.row_flop
        return pictures * ((slope * steps + offset) * step_flop + self.decode_flop)
