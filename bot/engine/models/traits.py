"""Sets in a pipeline with a UNet what its config files leave open, such as its prediction."""

from __future__ import annotations

import inspect
from typing import Any

from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from bot.engine.models.defaults import Traits
from bot.errors import ConfigError


def adjust_unet(pipe: Any, traits: Traits) -> None:
    """Give a pipeline the scheduler and the native size that fit its weights.

    Raises ConfigError for a size that the UNet cannot draw.
    """
    if traits.prediction_type:
        pipe.scheduler = _build_scheduler(pipe.scheduler, traits)
    if traits.timestep_spacing:
        set_spacing(pipe, traits.timestep_spacing)
    if traits.size:
        multiple = find_size_multiple(pipe)
        if any(side % multiple for side in traits.size):
            raise ConfigError(
                "The size {}×{} (native_size in triptych.json, or size in MODELS_FILE) does not "
                "fit this model, which draws multiples of {} pixels.".format(*traits.size, multiple)
            )
        width, height = (side // pipe.vae_scale_factor for side in traits.size)
        pipe.unet.register_to_config(sample_size=(height, width))


def set_spacing(pipe: Any, spacing: str) -> None:
    """Let the scheduler space its timesteps in another way, if it can."""
    kind = type(pipe.scheduler)
    if "timestep_spacing" in inspect.signature(kind.__init__).parameters:
        pipe.scheduler = kind.from_config(pipe.scheduler.config, timestep_spacing=spacing)


def find_size_multiple(pipe: Any) -> int:
    """Return what both sides of a picture must be multiples of.

    Both sides must halve without remainder at every level of the UNet.
    """
    num_halvings = sum(bool(getattr(each, "downsamplers", None)) for each in pipe.unet.down_blocks)
    return pipe.vae_scale_factor * 2**num_halvings


def _build_scheduler(scheduler: Any, traits: Traits) -> Any:
    kind: Any = type(scheduler)
    changes: dict[str, Any] = {"prediction_type": traits.prediction_type}
    if traits.zero_snr:
        changes |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        if "rescale_betas_zero_snr" not in inspect.signature(kind.__init__).parameters:
            kind = DDIMScheduler
    return kind.from_config(scheduler.config, **changes)
