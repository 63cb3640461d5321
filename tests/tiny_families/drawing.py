"""Draws one picture alone, with the family's own pipeline."""

from __future__ import annotations

import copy
import functools
import inspect
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image

from tests.tiny_families.qwen_edit import load_processor, tell_pictures_apart

_QWEN = {"QwenImagePipeline", "QwenImageEditPipeline", "QwenImageEditPlusPipeline"}

_PACKED = {"FluxPipeline", "FluxKontextPipeline", "ChromaPipeline", *_QWEN}
"""Pipelines that step latents as tokens of 2 x 2 latents."""

_WITHOUT_NEGATIVE = {"FluxPipeline", "FluxKontextPipeline", "Flux2KleinPipeline"}


def load_alone(folder: Path, dtype: torch.dtype = torch.float64) -> Any:
    """Load a folder's own pipeline on the CPU."""
    parts = {"processor": load_processor(folder)} if (folder / "processor").exists() else {}
    pipe = DiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True, **parts)
    if parts:
        tell_pictures_apart(pipe.text_encoder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw_alone(
    model: Any,
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
    strength: float = 0.6,
    reference: Image.Image | None = None,
) -> tuple[torch.Tensor, np.ndarray]:
    """Draw one picture and return its last latents (1, C, h, w) and pixels (H, W, 3), uint8.

    The latents are as the scheduler steps them, but in rows and columns: FLUX.2's have four times
    the channels of the VAE's and half their height and width, all others are the VAE's.

    model: a folder, or a pipeline from `load_alone`, which then decides the dtype.
    guidance: `true_cfg_scale` of Qwen-Image, and `guidance_scale` of all others, which is an input
    of the transformer in FLUX.1. negative_prompt: FLUX.1 uses none, and FLUX.2 takes it encoded;
    without one, Qwen-Image draws without guidance. scheduler: is used instead of the model's own.
    If it takes no sigmas or mu, those of the pipeline are left out.
    image: the start picture for the family's img2img pipeline. FLUX.2 and Sana have none; there,
    the text pipeline starts late, as the img2img pipelines of the others do.
    reference: the picture that the prompt, an instruction, changes.
    """
    pipe = load_alone(model, dtype) if isinstance(model, Path) else model
    name, own_scheduler = type(pipe).__name__, pipe.scheduler
    pipe.scheduler = _accept_schedules(copy.deepcopy(scheduler or own_scheduler))
    generator = torch.Generator().manual_seed(seed)
    _pass_generator(pipe.scheduler, generator)
    options = _name_options(name, guidance, negative_prompt)
    if name == "FluxPipeline" and not pipe.transformer.config.guidance_embeds:
        options["max_sequence_length"] = 256  # as on the model card of schnell
    if negative_prompt is not None and name == "Flux2KleinPipeline":
        with torch.no_grad():
            options["negative_prompt_embeds"] = pipe.encode_prompt(negative_prompt)[0]
    if name == "FluxKontextPipeline" and image is None:  # otherwise it draws other sizes
        options |= {"max_area": width * height, "_auto_resize": False}
    if reference is not None:
        options["image"] = reference
    drawing = pipe
    if image is not None and hasattr(diffusers, _name_img2img(name)):
        drawing = getattr(diffusers, _name_img2img(name))(**pipe.components)
        drawing.set_progress_bar_config(disable=True)
        # Some pipelines count Heun's timesteps, of which there are two for each step.
        own_start = drawing.get_timesteps
        drawing.get_timesteps = lambda _, *others: own_start(steps, *others)
        options |= {"image": image, "strength": strength}
    elif image is not None:
        size = {"width": width, "height": height}
        options["latents"] = _start_late(pipe, image, steps, strength, generator, size)
    last: list[torch.Tensor] = []

    def keep(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        del pipe, step, timestep
        last[:] = [tensors["latents"].clone()]
        return {}

    picture = drawing(
        prompt=prompt,
        width=width,
        height=height,
        num_inference_steps=steps,
        generator=generator,
        callback_on_step_end=keep,
        **options,
    ).images[0]
    pipe.scheduler = own_scheduler
    return _unpack(last[0], pipe, width, height), np.asarray(picture)


def _name_options(name: str, guidance: float, negative_prompt: str | None) -> dict[str, Any]:
    options: dict[str, Any] = {"guidance_scale": guidance}
    if name in _QWEN:
        options = {"true_cfg_scale": guidance}
    if name == "SanaPipeline":
        options["use_resolution_binning"] = False
    if negative_prompt is not None and name not in _WITHOUT_NEGATIVE:
        options["negative_prompt"] = negative_prompt
    return options


def _accept_schedules(scheduler: Any) -> Any:
    """Let pipelines pass sigmas and mu to a scheduler that does not take them, and add noise.

    Most pipelines refuse such a scheduler: https://github.com/huggingface/diffusers/issues/12108
    """
    own = scheduler.set_timesteps
    known = inspect.signature(own).parameters

    def set_timesteps(
        num_inference_steps: int | None = None,
        device: Any = None,
        sigmas: Any = None,
        mu: float | None = None,
    ) -> None:
        given: dict[str, Any] = {"device": device}
        if scheduler.config.get("use_dynamic_shifting"):
            given["mu"] = mu
        if "sigmas" in known and sigmas is not None:
            given["sigmas"] = np.asarray(sigmas)
        else:
            given["num_inference_steps"] = num_inference_steps or len(sigmas)
        own(**given)

    scheduler.set_timesteps = set_timesteps
    if not hasattr(scheduler, "scale_noise"):
        scheduler.scale_noise = lambda sample, timestep, noise: scheduler.add_noise(
            sample, noise, timestep
        )
    return scheduler


def _pass_generator(scheduler: Any, generator: torch.Generator) -> None:
    """Let a scheduler draw its noise from the picture's generator. Flow pipelines pass none."""
    if "generator" in inspect.signature(scheduler.step).parameters:
        scheduler.step = functools.partial(scheduler.step, generator=generator)


def _name_img2img(name: str) -> str:
    return name.replace("Kontext", "").replace("Pipeline", "Img2ImgPipeline")


def _start_late(
    pipe: Any,
    image: Image.Image,
    steps: int,
    strength: float,
    generator: torch.Generator,
    size: dict[str, int],
) -> torch.Tensor:
    """Encode a picture, add noise, and let the pipeline's scheduler start later.

    The picture's latents are the VAE's most likely ones (no noise is drawn for them).
    """
    pixels = pipe.image_processor.preprocess(image, **size).to(pipe.vae.dtype)
    scheduler = pipe.scheduler
    with torch.no_grad():
        if hasattr(pipe.vae, "bn"):
            encoded = pipe._encode_vae_image(pixels, generator)
            tokens = encoded.shape[-2] * encoded.shape[-1]
            is_solver = scheduler.config.get("use_flow_sigmas")
            sigmas = None if is_solver else np.linspace(1.0, 1 / steps, steps)
            mu = compute_empirical_mu(tokens, steps)
            scheduler.set_timesteps(steps, sigmas=sigmas, mu=mu)
        else:
            encoded = pipe.vae.encode(pixels).latent.float() * pipe.vae.config.scaling_factor
            scheduler.set_timesteps(steps)
    start = int(max(steps - min(steps * strength, steps), 0)) * scheduler.order
    scheduler.set_begin_index(start)
    timesteps = scheduler.timesteps[start:]
    noise = randn_tensor(encoded.shape, generator=generator, dtype=encoded.dtype)
    latents = scheduler.scale_noise(encoded, timesteps[:1], noise)
    _hide_first_steps(scheduler, start)
    return latents


def _hide_first_steps(scheduler: Any, start: int) -> None:
    """Show a pipeline only the later timesteps; the scheduler's own steps know all of them."""
    whole, own_step = scheduler.timesteps, scheduler.step

    @functools.wraps(own_step)
    def step(*args: Any, **options: Any) -> Any:
        scheduler.timesteps = whole
        return own_step(*args, **options)

    scheduler.timesteps, scheduler.step = whole[start:], step
    scheduler.set_timesteps = lambda *_, sigmas=None, mu=None, **__: None
    scheduler.set_begin_index = lambda *_: None


def _unpack(latents: torch.Tensor, pipe: Any, width: int, height: int) -> torch.Tensor:
    """Turn tokens (1, tokens, C) into latents (1, C, h, w)."""
    name = type(pipe).__name__
    if name in _PACKED:
        unpacked = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)
        return unpacked.reshape(1, -1, *unpacked.shape[-2:])
    if name == "Flux2KleinPipeline":
        multiple = 2 * pipe.vae_scale_factor
        return latents.transpose(1, 2).reshape(1, -1, height // multiple, width // multiple)
    return latents
