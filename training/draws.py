"""Random numbers that depend only on names and counters, so any batch can be drawn again."""

from __future__ import annotations

import hashlib
import random

import torch


def seed_of(*parts: object) -> int:
    """Return a 63-bit seed made from, for example, (run seed, "scenes", batch number)."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def python_random(*parts: object) -> random.Random:
    return random.Random(seed_of(*parts))


def torch_generator(*parts: object) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(*parts))


class Draw:
    """Draws random numbers on the CPU for any device, so that all devices get the same ones."""

    def __init__(self, device: torch.device, *parts: object) -> None:
        self.device = device
        self.generator = torch_generator(*parts)

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        values = torch.rand(shape, generator=self.generator)
        return (low + (high - low) * values).to(self.device)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        """Draw integers from low to high, both included."""
        return torch.randint(low, high + 1, shape, generator=self.generator).to(self.device)

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator).to(self.device)
