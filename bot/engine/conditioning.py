"""What the model is told to draw: a prompt as embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """embeds: (tokens, width) of the encoder's dtype on its device.

    cut_words: the end that the encoder could not take in, "" if all fitted.
    """

    embeds: torch.Tensor
    cut_words: str
