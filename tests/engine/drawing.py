"""Draws the same model with the engine's batch and with diffusers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from bot.engine import EngineOptions, GenerationOutput, GenerationRequest, ModelSource, Progress
from bot.engine.batch import Batch
from bot.engine.capacity.capacity import Capacity
from bot.engine.models.loading import LoadedModel, load_model
from bot.engine.runner import ModelRunner
from bot.engine.steps.groups import Drawing

_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),  # the pipeline's constructor requires this
    "ddpm": ("DDPMScheduler", {"clip_sample": False}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_3m": ("DPMSolverMultistepScheduler", {"solver_order": 3}),
    "deis": ("DEISMultistepScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "kdpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "kdpm2": ("KDPM2DiscreteScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {"clip_sample": False}),
    "tcd": ("TCDScheduler", {"clip_sample": False}),
}


FEW = ("ddim", "euler_a", "dpmpp_2m_sde_karras", "kdpm2_a", "unipc", "lcm")
"""One sampler for each kind of step, for tests that do not need every sampler."""


def find_class(sampler: str) -> tuple[str, dict[str, Any]]:
    """Return a sampler's class in diffusers and its settings."""
    base, _, spacing = sampler.rpartition("_")
    if spacing in {"karras", "exponential"}:
        name, extra = _CLASSES[base]
        return name, {**extra, f"use_{spacing}_sigmas": True}
    return _CLASSES[sampler]


def load(folder: Path) -> LoadedModel:
    return load_model(ModelSource(str(folder), device="cpu"))


def open_batch(model: LoadedModel, *, rows: int = 48, **options: Any) -> Batch:
    runner = ModelRunner(model, EngineOptions(rows=rows, **options))
    return Batch(runner, Capacity.from_knee(runner.info, rows, None))


def ignore(progress: Progress) -> None:
    """Ignore the progress."""


def draw(
    batch: Batch, request: GenerationRequest, report: Callable[[Progress], None] = ignore
) -> GenerationOutput:
    """Draw one request alone. Raises the error that its future would get."""
    drawing = batch.join(request, report)
    outcome = run(batch, [drawing])[drawing]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def run(batch: Batch, drawings: Iterable[Drawing]) -> dict[Drawing, Any]:
    """Tick until these requests have finished or failed."""
    outcomes: dict[Drawing, Any] = {}
    wanted = set(drawings)
    while not wanted <= outcomes.keys():
        outcomes.update(batch.tick())
    return outcomes


class Pair:
    """The same weights in the engine's batch and in diffusers' own pipelines."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32, **options: Any) -> None:
        model = load(folder)
        cast(model.pipe, dtype)
        self.info = model.info
        self.batch = open_batch(model, **options)
        self.decoded: list[torch.Tensor] = []
        self._decode = self.batch.runner.decode
        self.batch.runner.decode = self._spy
        self.pipe = DiffusionPipeline.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True
        )
        cast(self.pipe, dtype)
        self.pipe.set_progress_bar_config(disable=True)
        self.own = self.pipe.scheduler
        names = ("force_zeros_for_empty_prompt", "requires_aesthetics_score")
        self._flags = {name: self.pipe.config[name] for name in names if name in self.pipe.config}

    def draw(self, request: GenerationRequest) -> GenerationOutput:
        return draw(self.batch, request)

    def draw_latents(self, request: GenerationRequest) -> torch.Tensor:
        self.draw(request)
        return self.decoded[-1]

    def draw_alone(self, request: GenerationRequest) -> np.ndarray:
        """Draw uint8 pictures with diffusers."""
        return np.stack([np.asarray(image) for image in self._call_from_first(request, "pil")])

    def draw_latents_alone(self, request: GenerationRequest) -> torch.Tensor:
        """Draw latents (N, C, h, w) with diffusers."""
        return self._call_from_first(request, "latent")

    def _call_from_first(self, request: GenerationRequest, output_type: str) -> Any:
        """If the first times are equal, diffusers begins at the last of them and runs past its own
        end. In this case, set its first step to 0, as its image-to-image pipeline does.
        """
        try:
            return self._call(request, output_type)
        except IndexError:
            return self._call(request, output_type, begins_at_first=True)

    def _spy(self, latents: torch.Tensor, **how: Any) -> Any:
        self.decoded.append(latents.clone())
        return self._decode(latents, **how)

    def _call(
        self, request: GenerationRequest, output_type: str, *, begins_at_first: bool = False
    ) -> Any:
        recipe, (width, height) = request.recipe, request.recipe.size
        pipe, size = self.pipe, {"width": width, "height": height}
        if request.image is not None:
            kind = type(pipe).__name__.replace("Pipeline", "Img2ImgPipeline")
            extra = {} if "XL" in kind else {"requires_safety_checker": False}
            pipe = getattr(diffusers, kind)(**pipe.components, **{**self._flags, **extra})
            pipe.set_progress_bar_config(disable=True)
            image = Image.fromarray(request.image)
            image = image.resize((width, height), Image.Resampling.LANCZOS)
            size = {"image": [image] * len(recipe.seeds), "strength": recipe.strength}
        pipe.scheduler = scheduler = self._make_scheduler(recipe.sampler)
        if begins_at_first:
            set_timesteps = scheduler.set_timesteps

            def set_timesteps_and_start(*args: Any, **kwargs: Any) -> None:
                set_timesteps(*args, **kwargs)
                scheduler.set_begin_index(0)

            scheduler.set_timesteps = set_timesteps_and_start
        encoder: Any = pipe.text_encoder
        if "XL" in type(pipe).__name__:
            pass  # take the hidden states without the final norm
        elif recipe.clip_skip is not None and not hasattr(encoder, "text_model"):
            # the repair of huggingface/diffusers#14043; not a submodule, or it would contain itself
            object.__setattr__(encoder, "text_model", encoder)
        return pipe(
            [recipe.prompt] * len(recipe.seeds),
            negative_prompt=[recipe.negative_prompt] * len(recipe.seeds)
            if recipe.negative_prompt
            else None,
            num_inference_steps=recipe.num_inference_steps,
            guidance_scale=recipe.guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in recipe.seeds],
            output_type=output_type,
            clip_skip=recipe.clip_skip,
            **({"eta": 0.3} if recipe.sampler == "tcd" else {}),  # the scheduler's own default
            **size,
        ).images

    def _make_scheduler(self, sampler: str) -> Any:
        if sampler == self.info.default_sampler:
            return type(self.own)(**{k: v for k, v in self.own.config.items() if k[0] != "_"})
        name, extra = find_class(sampler)
        # pass all values, because from_config drops those that the model's file leaves to the class
        config = {k: v for k, v in self.own.config.items() if k != "_use_default_values"}
        return getattr(diffusers, name).from_config(config, **extra)


def cast(pipe: Any, dtype: torch.dtype) -> None:
    """Convert all parts of a pipeline except its safety checker."""
    for name, part in pipe.components.items():
        if isinstance(part, torch.nn.Module) and name != "safety_checker":
            # not diffusers' own ``to``, which warns about precisions that do not matter here
            torch.nn.Module.to(part, dtype)


def find_worst(ours: np.ndarray, alone: np.ndarray) -> int:
    """Return the largest difference in grey levels."""
    return int(np.abs(ours.astype(int) - alone.astype(int)).max())


def find_error(ours: torch.Tensor, alone: torch.Tensor) -> float:
    """Return the relative difference of two latents."""
    return float((ours - alone).norm() / alone.norm())
