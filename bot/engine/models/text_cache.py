"""Keeps encoded texts in host memory, so that a prompt met before needs no text encoder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

MAX_BYTES = 256 * 2**20
"""One text takes up to 4 MB, and up to 13 MB in FLUX.2 and Qwen-Image-Edit (with its picture)."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """One text as the network takes it. tensors: see ``ModelFamily.row_shapes``, on the CPU."""

    tensors: Mapping[str, torch.Tensor]
    cut_words: str = ""

    @property
    def num_bytes(self) -> int:
        """Return how much memory the tensors take."""
        return sum(each.nbytes for each in self.tensors.values())


class TextCache:
    """Encodes texts, and keeps those that were used last. A text of any size can be encoded.

    encode: called with a text and what else its encoding depends on.
    """

    def __init__(self, encode: Callable[..., EncodedText], max_bytes: int = MAX_BYTES) -> None:
        self._encode = encode
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._kept: OrderedDict[Any, EncodedText] = OrderedDict()

    def __call__(self, text: str, **how: Any) -> EncodedText:
        """Return the encoded text. how: passed to ``encode``."""
        key = (text, *sorted(how.items()))
        if key not in self._kept:
            self._kept[key] = encoded = self._encode(text, **how)
            self._num_bytes += encoded.num_bytes
        self._kept.move_to_end(key)
        found = self._kept[key]
        while self._num_bytes > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._num_bytes -= oldest.num_bytes
        return found

    def __len__(self) -> int:
        """Return how many texts are kept."""
        return len(self._kept)

    def clear(self) -> None:
        """Forget every text."""
        self._kept.clear()
        self._num_bytes = 0
