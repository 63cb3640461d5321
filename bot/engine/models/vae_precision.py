"""Runs a float16 VAE in float32 for one picture, if float16 was not enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def in_float32(vae: Any) -> Iterator[None]:
    """Run the VAE in float32 inside this block, because some VAEs exceed 65504, float16's limit."""
    try:
        _cast(vae, torch.float32)
        yield
    finally:
        _cast(vae, torch.float16)


def _cast(vae: Any, dtype: torch.dtype) -> None:
    """Convert the weights, but only after all CUDA streams, such as the decoder's, are done."""
    _synchronize(vae)
    vae.to(dtype)
    _synchronize(vae)


def _synchronize(vae: Any) -> None:
    if vae.device.type != "cpu":
        torch.accelerator.synchronize()
