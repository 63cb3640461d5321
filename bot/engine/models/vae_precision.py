"""A float16 VAE for which float16 was not enough: the same weights in float32, for one picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def in_float32(vae: Any) -> Iterator[None]:
    """Compute in float32: float16 ends at 65504, which some VAEs pass in some of their blocks."""
    try:
        _cast(vae, torch.float32)
        yield
    finally:
        _cast(vae, torch.float16)


def _cast(vae: Any, dtype: torch.dtype) -> None:
    """Change the weights while nobody reads them: steps and decoding have streams of their own."""
    _synchronize(vae)
    vae.to(dtype)
    _synchronize(vae)


def _synchronize(vae: Any) -> None:
    if vae.device.type == "cuda":
        torch.cuda.synchronize()
