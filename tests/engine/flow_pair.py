"""Draws a tiny flow model with the engine's batch, and each picture alone with its pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bot.engine import GenerationRequest
from tests.engine.drawing import cast, find_worst, ignore, load, open_batch
from tests.tiny_families import draw_alone, load_alone

MAX_ERROR = 1e-6
"""Flow schedulers of diffusers step in float32, whatever the model's own precision is."""


class FlowPair:
    """The same weights in the engine's batch and in the family's own pipeline."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float64) -> None:
        model = load(folder)
        cast(model.pipe, dtype)
        self.family: Any = model.family
        self.info = model.info
        self.samplers = model.samplers
        self.batch = open_batch(model)
        self.alone = load_alone(folder, dtype)
        self.decoded: list[torch.Tensor] = []
        self._decode = self.batch.runner.decode
        self.batch.runner.decode = self._spy

    def draw(
        self, requests: Sequence[GenerationRequest], cancelled: Sequence[GenerationRequest] = ()
    ) -> dict[int, tuple[torch.Tensor, np.ndarray]]:
        """Draw requests that join one step after the other; return latents and pictures by id.

        cancelled: requests that leave in the middle.
        """
        leaving = [self.batch.join(each, ignore) for each in cancelled]
        self.batch.tick()
        drawings, finished, order = [], {}, []
        for request in requests:
            drawings.append(self.batch.join(request, ignore))
            finished |= dict(self._tick(order))
        for drawing in leaving:
            self.batch.leave(drawing)
        while len(finished) < len(requests):
            finished |= dict(self._tick(order))
        return {
            drawing.request.request_id: (latents, finished[drawing].images)
            for drawing, latents in order
        }

    def check(
        self, requests: Sequence[GenerationRequest], cancelled: Sequence[GenerationRequest] = ()
    ) -> None:
        """Compare each picture of these requests with the pipeline's."""
        drawn = self.draw(requests, cancelled)
        for request in requests:
            latents, pictures = drawn[request.request_id]
            for n, seed in enumerate(request.recipe.seeds):
                expected, picture = self.draw_alone(request, seed)
                error = float((latents[n] - expected[0]).norm() / expected.norm())
                assert error <= MAX_ERROR, (request.recipe, error)
                assert find_worst(pictures[n], picture) <= 1

    def draw_alone(self, request: GenerationRequest, seed: int) -> tuple[torch.Tensor, np.ndarray]:
        """Draw one picture with the pipeline alone."""
        recipe = request.recipe
        image = None if request.image is None else Image.fromarray(request.image)
        return draw_alone(
            self.alone,
            prompt=recipe.prompt,
            negative_prompt=recipe.negative_prompt,
            seed=seed,
            steps=recipe.num_inference_steps or 0,
            guidance=recipe.guidance_scale or 0.0,
            width=recipe.size[0],
            height=recipe.size[1],
            scheduler=self.samplers.create(recipe.sampler or ""),
            image=image,
            strength=recipe.strength,
        )

    def _tick(self, order: list[Any]) -> list[Any]:
        outcomes = self.batch.tick()
        order += zip([drawing for drawing, _ in outcomes], self.decoded, strict=True)
        self.decoded.clear()
        return outcomes

    def _spy(self, latents: torch.Tensor, **how: Any) -> Any:
        self.decoded.append(latents.clone())
        return self._decode(latents, **how)
