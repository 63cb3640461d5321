"""A prompt as the embeddings that the model reads."""

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
