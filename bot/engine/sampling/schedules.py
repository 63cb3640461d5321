"""Sets up diffusers' schedulers as its pipelines do, for diffusion models and for flow models."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

Scheduler = Any
"""One of diffusers' scheduler objects: they share methods but no typed base class."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a pipeline passes to ``set_timesteps`` of a flow scheduler besides the number of steps.

    mu: the shift for this size of picture (FLUX.2: and this number of steps). It is used only if
    the scheduler has ``use_dynamic_shifting``, which needs it. sigmas: the noise levels before the
    shift, one for each step. It is used only if the class takes them.

    The pipelines of diffusers 0.42.1 pass these values. "even" is from 1 to 1/steps in equal
    distances; tokens is the number of tokens of the picture.

    ==========  ======  ===================================================
    family      sigmas  mu
    ==========  ======  ===================================================
    flux        even *  ``calculate_shift(tokens, …)``
    flux2       even *  ``compute_empirical_mu(tokens, steps)``
    qwen_image  even    ``calculate_shift(tokens, …)``
    chroma      even    ``calculate_shift(tokens, …)``
    z_image     even    ``calculate_shift(tokens, …)``; sigmas in float32
    sd3         none    ``calculate_shift(tokens, …)``
    sana        none    none
    ==========  ======  ===================================================

    * none if the scheduler has ``use_flow_sigmas`` (but ``FluxImg2ImgPipeline`` and
    ``FluxKontextPipeline`` pass them). Of these schedulers, only that of unipc takes sigmas.
    """

    mu: float | None = None
    sigmas: tuple[float, ...] | None = None


PLAIN = Schedule()
"""The schedule of all models that are not flow models."""


def is_flow(scheduler: Scheduler) -> bool:
    """Return whether a scheduler is for flow models."""
    return hasattr(scheduler, "scale_noise") or bool(scheduler.config.get("use_flow_sigmas"))


def set_timesteps(
    scheduler: Scheduler, num_inference_steps: int, schedule: Schedule = PLAIN
) -> torch.Tensor:
    """Call a scheduler's ``set_timesteps`` as the pipelines do, and return its timesteps.

    Raises ValueError if the scheduler needs mu and the schedule has none, or if the schedule has
    sigmas for another number of steps.
    """
    sigmas, shift = schedule.sigmas, {}
    if scheduler.config.get("use_dynamic_shifting"):
        if schedule.mu is None:
            raise ValueError("this scheduler shifts by the picture's size, so it needs mu")
        shift = {"mu": schedule.mu}
    if sigmas is not None and len(sigmas) != num_inference_steps:
        raise ValueError(f"{len(sigmas)} sigmas are given for {num_inference_steps} steps")
    if sigmas is None or "sigmas" not in inspect.signature(scheduler.set_timesteps).parameters:
        scheduler.set_timesteps(num_inference_steps, **shift)
    else:
        scheduler.set_timesteps(sigmas=np.array(sigmas), **shift)  # UniPC cannot take a list
    return scheduler.timesteps


def scale_input(scheduler: Scheduler, sample: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Return the model's input for a sample. Flow-matching schedulers leave it as it is."""
    if not hasattr(scheduler, "scale_model_input"):
        return sample
    return scheduler.scale_model_input(sample, t)


def skip_steps(scheduler: Scheduler, num_inference_steps: int, strength: float) -> torch.Tensor:
    """Let a scheduler begin later, because it starts from a picture. Return the timesteps left.

    The start index is that of ``get_timesteps`` in ``StableDiffusionImg2ImgPipeline`` (flow:
    ``StableDiffusion3Img2ImgPipeline``, which rounds the other way), but at least one step is left,
    even if these pipelines would refuse.
    """
    num_kept = min(num_inference_steps * strength, num_inference_steps)
    num_skipped = num_inference_steps - (num_kept if is_flow(scheduler) else int(num_kept))
    start = min(int(num_skipped), num_inference_steps - 1) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    return scheduler.timesteps[start:]
