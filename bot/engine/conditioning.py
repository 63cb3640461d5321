"""A request's inputs for a batch: the prompts as tensors, and the first latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

Network = Callable[..., Any]
"""The part that is called at every step (a UNet): diffusers' own forward, compiled, or tiled."""

Rows = Mapping[str, torch.Tensor]
"""The conditioning of R rows: each tensor of ``Conditioning`` with R as its first dimension."""


@dataclass(frozen=True, slots=True, eq=False)
class Conditioning:
    """The inputs of one row of the model's batch besides its latent and its time.

    tensors: by the family's own names, without a batch dimension, in the model's dtype, on its
    device; "embeds" is (tokens, width). cut_words: the last words of the prompt, if they did not
    fit into the encoder; else "".
    """

    tensors: Mapping[str, torch.Tensor]
    cut_words: str = ""

    @property
    def num_tokens(self) -> int:
        """Return the length of the text in tokens. Only rows with the same length share a batch."""
        return self.tensors["embeds"].shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """The first latents (N, C, h, w), and for each picture the generator of its later noise."""

    latents: torch.Tensor
    generators: tuple[torch.Generator, ...]
