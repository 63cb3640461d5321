"""Counts a model's work from its configuration, without computing it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

_Call = Callable[[Any, torch.Tensor], object]


def count_unet_flop(unet: Any, latent: Sequence[int], call: _Call) -> float:
    """Count the FLOP of one row of the UNet. latent: (h, w).

    call: predicts for inputs (1, C, h, w) with a UNet of this configuration; all on "meta".
    """
    shape = (1, unet.config.in_channels, *latent)
    return _count(type(unet), _freeze(unet.config), shape, call)


def count_vae_flop(vae: Any, latent: Sequence[int]) -> float:
    """Count the FLOP to decode one picture from a latent of (h, w)."""
    shape = (1, vae.config.latent_channels, *latent)
    return _count(type(vae), _freeze(vae.config), shape, lambda vae, inputs: vae.decode(inputs))


def _freeze(config: Any) -> str:
    """Leave out the folder and other notes, which differ between models of one shape."""
    shape = {name: value for name, value in config.items() if not name.startswith("_")}
    return json.dumps(shape, sort_keys=True, default=str)


_COUNTS: dict[tuple[Any, ...], float] = {}
"""By class, configuration and shape: fine-tunes share one, and a UNet takes a second."""


def _count(kind: Any, config: str, shape: tuple[int, ...], call: _Call) -> float:
    key = (kind, config, shape)
    if key not in _COUNTS:
        with (
            torch.device("meta"),
            torch.no_grad(),
            FlopCounterMode(display=False) as counter,
        ):
            call(kind.from_config(json.loads(config)), torch.zeros(shape))
        _COUNTS[key] = float(counter.get_total_flops())
    return _COUNTS[key]
