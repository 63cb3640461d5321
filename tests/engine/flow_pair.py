"""Draws a tiny flow model with the engine's batch, and each picture alone with its pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from diffusers.pipelines.z_image.pipeline_z_image import ZImagePipeline
from PIL import Image

from bot.domain.recipes import Recipe
from bot.engine import GenerationRequest
from bot.engine.batch import Batch
from bot.engine.models.loading import LoadedModel
from bot.engine.sampling.step_tables import StepTable, _Float64
from tests.engine.drawing import cast, find_worst, ignore, load, open_batch
from tests.tiny_families import draw_alone, load_alone

MAX_ERROR = 1e-6
"""Flow schedulers of diffusers step in float32, whatever the model's own precision is."""

MAX_FLOAT32_ERROR = 2e-5
"""Z-Image's pipeline also keeps its latents in float32. DEIS enlarges this rounding to 1e-5; if the
pipeline's scheduler steps in float64, the difference is 1e-7.
"""

_SHIFT = ("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len")


def open_small_batch(model: LoadedModel, **options: Any) -> Batch:
    """Open a batch as if the model drew 64 x 64 pixels. Most say 1024 pixels or more, for which a
    group of small pictures takes gigabytes. Reference pictures have 128 x 128 pixels.
    """
    small = {"width": 64, "height": 64, "reference_pixels": model.info.reference_pixels // 64}
    info = replace(model.info, **small)
    return open_batch(replace(model, info=info), **options)


class FlowPair:
    """The same weights in the engine's batch and in the family's own pipeline."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float64) -> None:
        model = load(folder)
        cast(model.pipe, dtype)
        self.family: Any = model.family
        self.info = model.info
        self.samplers = model.samplers
        self.batch = open_small_batch(model)
        self.alone = load_alone(folder, dtype)
        self.keeps_float32 = isinstance(self.alone, ZImagePipeline)
        if type(self.alone).__name__ == "SanaPipeline" and dtype == torch.float64:
            _keep_float64(self.alone)
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
        with self._draw_same_noise():
            drawn = self.draw(requests, cancelled)
        for request in requests:
            latents, pictures = drawn[request.request_id]
            for n, seed in enumerate(request.recipe.seeds):
                expected, picture = self.draw_alone(request, seed)
                error = float((latents[n] - expected[0]).norm() / expected.norm())
                limit = MAX_FLOAT32_ERROR if self.keeps_float32 else MAX_ERROR
                assert error <= limit, (request.recipe, error)
                assert find_worst(pictures[n], picture) <= 1

    def draw_alone(self, request: GenerationRequest, seed: int) -> tuple[torch.Tensor, np.ndarray]:
        """Draw one picture with the pipeline alone."""
        recipe = request.recipe
        negative, guidance = recipe.negative_prompt, recipe.guidance_scale or 0.0
        if type(self.alone).__name__.startswith("QwenImage"):
            negative = negative or " "  # as its documentation recommends
        if isinstance(self.alone, ZImagePipeline):
            guidance = max(guidance - 1, 0.0)  # this pipeline counts from 0
        scheduler = self.samplers.create(recipe.sampler or "")
        own = self.alone.scheduler.config
        # classes without these settings lose them, and the pipeline would compute another mu
        scheduler.register_to_config(**{name: own[name] for name in _SHIFT if name in own})
        image = None if request.image is None else Image.fromarray(request.image)
        return draw_alone(
            self.alone,
            prompt=recipe.prompt,
            negative_prompt=negative,
            seed=seed,
            steps=recipe.num_inference_steps or 0,
            guidance=guidance,
            width=recipe.size[0],
            height=recipe.size[1],
            scheduler=scheduler,
            image=None if recipe.is_edit else image,
            strength=recipe.strength,
            reference=image if recipe.is_edit else None,
        )

    def _draw_same_noise(self) -> AbstractContextManager[object]:
        """Let a model in float64 draw the noise of a step in float32, if its pipeline does so."""
        if not self.keeps_float32:
            return nullcontext()
        return patch.object(StepTable, "find_noise_dtype", lambda *_: torch.float32)

    def check_cut_words(self, recipe: Recipe) -> None:
        """Check that all words of this long prompt change its encoding, except those cut off."""
        prompt, cond = recipe.prompt, self.family.encode(recipe)[0]
        assert cond.cut_words
        assert prompt.endswith(cond.cut_words)
        read, first_cut = prompt.removesuffix(cond.cut_words), cond.cut_words.split()[0]
        same = replace(recipe, prompt=f"{read}{first_cut} sea sea sea")
        other = replace(recipe, prompt=f"{read.rsplit(maxsplit=2)[0]} sea sea sea")
        embeds = [self.family.encode(each)[0].tensors["embeds"] for each in (same, other)]
        assert torch.equal(embeds[0], cond.tensors["embeds"])
        assert not torch.equal(embeds[1], cond.tensors["embeds"])

    def _tick(self, order: list[Any]) -> list[Any]:
        outcomes = self.batch.tick()
        order += zip([drawing for drawing, _ in outcomes], self.decoded, strict=True)
        self.decoded.clear()
        return outcomes

    def _spy(self, latents: torch.Tensor, **how: Any) -> Any:
        self.decoded.append(latents.clone())
        return self._decode(latents, **how)


def _keep_float64(pipe: Any) -> None:
    """Let a pipeline that steps in float32 step in float64, as the engine does for such a model."""
    prepare, forward = pipe.prepare_latents, pipe.transformer.forward

    def predict(latents: torch.Tensor, **inputs: Any) -> tuple[torch.Tensor]:
        (predicted,) = forward(latents.as_subclass(torch.Tensor), **inputs)
        return (predicted.as_subclass(_Float64),)

    pipe.prepare_latents = lambda *args: prepare(*args).double().as_subclass(_Float64)
    pipe.transformer.forward = predict
