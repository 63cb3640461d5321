"""A request's inputs for a batch: the prompts as tensors, and the first latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

Network = Callable[..., Any]
"""The part that every step calls (a UNet): as diffusers has it, compiled, or tiled."""

Rows = Mapping[str, torch.Tensor]
"""The conditioning of R rows: each tensor of ``Conditioning`` with R as its first dimension."""


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """The inputs of one row of the model's batch besides its latent and its time.

    tensors: the family chooses their names. They have no batch dimension, and the model's dtype and
    device. "embeds" is (tokens, width). "reference" is there only if an instruction changes a
    picture: its latents (C, h, w). cut_words: the end of the prompt, if it did not fit into the
    encoder; else "".
    """

    tensors: Mapping[str, torch.Tensor]
    cut_words: str = ""

    @property
    def num_tokens(self) -> int:
        """Return the length of the text in tokens. Only rows with the same length share a batch."""
        return self.tensors["embeds"].shape[0]

    @property
    def reference_shape(self) -> tuple[int, ...] | None:
        """Return the shape of "reference", which must also be the same in a batch; None without."""
        reference = self.tensors.get("reference")
        return None if reference is None else tuple(reference.shape)

    def show(self, reference: torch.Tensor) -> Conditioning:
        """Return these inputs with a reference picture's latents (C, h, w)."""
        return replace(self, tensors={**self.tensors, "reference": reference})


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The first latents (N, C, h, w), and for each picture the generator of its later noise."""

    latents: torch.Tensor
    generators: tuple[torch.Generator, ...]
