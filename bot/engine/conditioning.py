"""Prepares a request for a batch: turns its prompt into embeddings and makes its first latents."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """embeds: (tokens, width) in the encoder's dtype, on its device.

    cut_words: the last words, if they did not fit into the encoder; else "".
    """

    embeds: torch.Tensor
    cut_words: str


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """latents: (N, C, h, w). generators: one for each picture, to draw the rest of its noise."""

    latents: torch.Tensor
    generators: tuple[torch.Generator, ...]
