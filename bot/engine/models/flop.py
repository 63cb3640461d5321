"""Counts a model's work from its configuration, without computing it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def count_unet_flop(unet: Any, height: int, width: int, max_tokens: int, text_width: int) -> float:
    """Count the FLOP of one row of the UNet. height, width: of the latent."""
    shapes = ((1, unet.config.in_channels, height, width), (1, max_tokens, text_width))
    return _count(type(unet), _freeze(unet.config), shapes)


def count_vae_flop(vae: Any, height: int, width: int) -> float:
    """Count the FLOP to decode one picture. height, width: of the latent."""
    shape = (1, vae.config.latent_channels, height, width)
    return _count(type(vae), _freeze(vae.config), (shape,))


def _freeze(config: Any) -> str:
    """Leave out the folder and other notes, which differ between models of one shape."""
    shape = {name: value for name, value in config.items() if not name.startswith("_")}
    return json.dumps(shape, sort_keys=True, default=str)


@lru_cache(maxsize=32)
def _count(kind: Any, config: str, shapes: tuple[tuple[int, ...], ...]) -> float:
    """Count and cache, because fine-tunes share a configuration and a UNet takes a second."""
    with (
        torch.device("meta"),
        torch.no_grad(),
        FlopCounterMode(display=False) as counter,
    ):
        model = kind.from_config(json.loads(config))
        latent, *embeds = (torch.zeros(shape) for shape in shapes)
        if embeds:
            model(latent, torch.zeros(()), encoder_hidden_states=embeds[0])
        else:
            model.decode(latent)
    return float(counter.get_total_flops())
