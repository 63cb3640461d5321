"""Keeps results of UNet layers that depend only on the prompts, from one step to the next."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import Attention


class PromptCache(torch.nn.Module):
    """Wraps a part of the model. If called with the same tensor again, it returns the last result.

    It compares the tensor objects, not their values, so no code may change a tensor in place.
    """

    def __init__(self, part: torch.nn.Module) -> None:
        super().__init__()
        self.part = part
        self._asked: torch.Tensor | None = None
        self._answer: Any = None

    def forward(self, embeds: torch.Tensor) -> Any:
        """Return ``part(embeds)``."""
        if embeds is not self._asked:
            self._asked, self._answer = embeds, self.part(embeds)
        return self._answer

    def forget(self) -> None:
        """Drop the last result."""
        self._asked = self._answer = None


def remember_prompts(unet: Any) -> None:
    """Cache the cross-attention's keys and values, and the text's part of the time embedding.

    Use this only for a UNet that runs eagerly. A captured graph would keep the cached values for
    ever.
    """
    attentions: list[Any] = [part for part in unet.modules() if isinstance(part, Attention)]
    for layer in attentions:
        if layer.is_cross_attention:
            layer.to_k, layer.to_v = _remember(layer.to_k), _remember(layer.to_v)
    if unet.config.addition_embed_type == "text":
        unet.add_embedding = _remember(unet.add_embedding)


def forget_prompts(unet: Any) -> None:
    """Drop all cached results."""
    for part in unet.modules():
        if isinstance(part, PromptCache):
            part.forget()


def _remember(part: Any) -> PromptCache:
    return part if isinstance(part, PromptCache) else PromptCache(part)
