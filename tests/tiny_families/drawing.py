"""Draws one picture alone, with the family's own pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image

_PACKED = {"FluxPipeline", "QwenImagePipeline", "ChromaPipeline"}
"""Pipelines that step latents as tokens of 2 x 2 latents."""

_WITH_NEGATIVE = {
    "ZImagePipeline",
    "QwenImagePipeline",
    "StableDiffusion3Pipeline",
    "ChromaPipeline",
    "SanaPipeline",
}
"""Pipelines whose guidance uses a negative prompt of the caller."""


def load_alone(folder: Path, dtype: torch.dtype = torch.float64) -> Any:
    """Load a folder's own pipeline on the CPU."""
    pipe = DiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw_alone(
    folder: Path,
    *,
    prompt: str,
    negative_prompt: str | None = None,
    seed: int = 0,
    steps: int = 4,
    guidance: float = 4.0,
    width: int = 64,
    height: int = 64,
    dtype: torch.dtype = torch.float64,
    scheduler: Any = None,
    image: Image.Image | None = None,
    strength: float | None = None,
) -> tuple[torch.Tensor, np.ndarray]:
    """Draw one picture and return its last latents (1, C, h, w) and pixels (H, W, 3), uint8.

    The latents are as the scheduler steps them, but in rows and columns: FLUX.2's have 4 x 4
    channels and half the VAE's height and width, all others the VAE's channels and size.

    guidance: `true_cfg_scale` of Qwen-Image, and `guidance_scale` of all others, which is an input
    of the transformer in FLUX.1. negative_prompt: FLUX ignores it; without one, Qwen-Image draws
    without guidance. image: the start image of the family's img2img pipeline.
    """
    pipe = load_alone(folder, dtype)
    name = type(pipe).__name__
    if scheduler is not None:
        pipe.scheduler = scheduler
    options: dict[str, Any] = {"guidance_scale": guidance}
    if name == "QwenImagePipeline":
        options = {"true_cfg_scale": guidance}
    if name in _WITH_NEGATIVE and negative_prompt is not None:
        options["negative_prompt"] = negative_prompt
    if name == "SanaPipeline":
        options["use_resolution_binning"] = False
    if image is not None:
        pipe = _to_img2img(pipe)
        options |= {"image": image, "strength": strength}
    last: list[torch.Tensor] = []

    def keep(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        del pipe, step, timestep
        last[:] = [tensors["latents"].clone()]
        return {}

    picture = pipe(
        prompt=prompt,
        width=width,
        height=height,
        num_inference_steps=steps,
        generator=torch.Generator().manual_seed(seed),
        callback_on_step_end=keep,
        **options,
    ).images[0]
    return _unpack(last[0], pipe, name, width, height), np.asarray(picture)


def _to_img2img(pipe: Any) -> Any:
    name = type(pipe).__name__.replace("Pipeline", "Img2ImgPipeline")
    if not hasattr(diffusers, name):
        raise ValueError(f"{type(pipe).__name__} has no pipeline that starts from a picture.")
    other = getattr(diffusers, name)(**pipe.components)
    other.set_progress_bar_config(disable=True)
    return other


def _unpack(latents: torch.Tensor, pipe: Any, name: str, width: int, height: int) -> torch.Tensor:
    """Turn tokens (1, tokens, C) into latents (1, C, h, w)."""
    if name in _PACKED:
        unpacked = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
        return unpacked.reshape(1, -1, *unpacked.shape[-2:])
    if name == "Flux2KleinPipeline":
        multiple = 2 * pipe.vae_scale_factor
        return latents.transpose(1, 2).reshape(1, -1, height // multiple, width // multiple)
    return latents
