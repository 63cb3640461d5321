from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from bot.engine.upscaling.files import NetworkPlan
from bot.engine.upscaling.networks import build_network
from bot.engine.upscaling.upscaler import Upscaler, load_upscaler
from tests.fakes.engine import UPSCALER

SMALL_COMPACT = NetworkPlan("compact", 2, 8, 2)
SMALL_RRDB = NetworkPlan("rrdb", 4, 8, 1, 4)
SMALL_RRDB_BY_TWO = NetworkPlan("rrdb", 2, 8, 1, 4)


@pytest.fixture(scope="session")
def shipped() -> Upscaler:
    return load_upscaler(UPSCALER, torch.device("cpu"))


def save_network(path: Path, plan: NetworkPlan, prefix: str = "", **changes: torch.Tensor) -> Path:
    """Write a file with random weights. Names in ``changes`` have __ in place of dots."""
    torch.manual_seed(1)
    tensors = dict(build_network(plan).state_dict())
    tensors |= {name.replace("__", "."): tensor for name, tensor in changes.items()}
    save_file({f"{prefix}{name}": tensor for name, tensor in tensors.items()}, path)
    return path


def make_picture(width: int, height: int) -> NDArray[np.uint8]:
    """Make noise on a gradient, in which a seam would be visible."""
    noise = np.random.default_rng(7).integers(0, 120, (height, width, 3))
    slope = np.linspace(0, 120, width)[None, :, None]
    return (noise + slope).astype(np.uint8)
