"""Estimates how much memory of a device a model needs, from the headers of its files. No torch."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

OFFLOADS = ("none", "encoders", "model")
"""What waits in host memory, from the quickest to the smallest."""

BITS = {"none": 16.0, "int8": 8.0, "nf4": 4.13, "Q8_0": 8.5, "Q4_K_S": 4.5}
"""Bits for each number in a linear layer. Q8_0 and Q4_K_S are kinds of GGUF files.

nf4: 4 bits, 8 bits of scale for 64 numbers, and 32 bits for 256 of these scales
(https://arxiv.org/abs/2305.14314). GGUF: https://github.com/ggml-org/llama.cpp/tree/master/gguf-py.
"""
_OF_FILES = ("Q8_0", "Q4_K_S")

_LADDER = (
    ("none", "none"),
    ("encoders", "none"),
    ("encoders", "Q8_0"),
    ("encoders", "Q4_K_S"),
    ("model", "none"),
    ("model", "Q4_K_S"),
)
"""OFFLOAD and quantisation, from the quickest and most exact to the smallest."""

CONTEXT_BYTES = 600_000_000
"""What the driver, the libraries and small tensors take on a card. A round number, not measured."""

BYTES_PER_PIXEL = 2048
"""Decoding one picture, by far the largest activation: four tensors with 256 channels in 16 bits at
the picture's full size. The network's own activations and the latents of a few requests fit into
the same room.
"""

_BLOCK = re.compile(r"(?:.*?\.)??[a-z_]+\.\d+\.")
_EMBEDDING = re.compile(r"embed|shared\.weight|relative_attention_bias")
_NUM_BLOCKS = _NUM_LAYERS = 3
"""Blocks of an offloaded network, or layers of an encoder, that are on the device at once: the
last, the present and the next.
"""


@dataclass(frozen=True, slots=True)
class PartSize:
    """The memory that one part of a model takes when it is loaded.

    num_bytes: of all weights. linear_bytes: of those in linear layers, which quantisation shrinks;
    0 if they are quantised in the file. moved_bytes: what is on the device at most while the part
    is offloaded.
    """

    name: str
    num_bytes: int
    linear_bytes: int
    moved_bytes: int

    @property
    def is_encoder(self) -> bool:
        """Return whether it is a text encoder."""
        return self.name.startswith("text_encoder")

    @property
    def is_network(self) -> bool:
        """Return whether it is the part that runs at every step."""
        return self.name in {"transformer", "unet"}


def measure_part(name: str, tensors: Mapping[str, Mapping[str, Any]], width: int = 2) -> PartSize:
    """Measure a part by the header of its files.

    tensors: as in ``Weights.tensors``. width: the bytes of each number once it is loaded.
    """
    sizes, linear, blocks = Counter[str](), 0, Counter[str]()
    for key, tensor in tensors.items():
        is_quantised = "Q" in tensor["dtype"]  # a GGUF file's Q8_0, Q4_K or IQ4_XS
        begin, end = tensor["data_offsets"]
        size = end - begin if is_quantised else math.prod(tensor["shape"]) * width
        sizes[key] = size
        if not is_quantised and len(tensor["shape"]) == 2 and is_linear(key):
            linear += size
        block = _BLOCK.match(key)
        blocks[block[0] if block else ""] += size
    rest = blocks.pop("", 0)
    block = max(blocks.values(), default=0)
    part = PartSize(name, sum(sizes.values()), linear, 0)
    largest = sum(size for _, size in sizes.most_common(_NUM_LAYERS))
    moved = largest if part.is_encoder else rest + _NUM_BLOCKS * block
    return PartSize(name, part.num_bytes, linear, min(moved, part.num_bytes))


def is_linear(name: str) -> bool:
    """Return whether a matrix with this name is in a linear layer, and not in an embedding."""
    return name.endswith(".weight") and not _EMBEDDING.search(name.rpartition("blocks.")[2])


def estimate(
    parts: Iterable[PartSize], offload: str, quantization: str, pixels: int = 1024 * 1024
) -> int:
    """Return the most bytes of the device's memory that drawing takes at once.

    offload: see ``OFFLOADS``. quantization: see ``BITS``. pixels: width × height of one picture.
    """
    total = CONTEXT_BYTES + BYTES_PER_PIXEL * pixels
    moved = 0
    for part in parts:
        is_moved = (part.is_encoder and offload != "none") or (
            part.is_network and offload == "model"
        )
        share = _find_share(part, quantization)
        if is_moved and part.is_encoder:  # the encoders run one after the other
            moved = max(moved, round(part.moved_bytes * share))
        else:
            total += round((part.moved_bytes if is_moved else part.num_bytes) * share)
    return total + moved


def choose_offload(
    parts: Iterable[PartSize], free_bytes: int | None, quantization: str, pixels: int
) -> str:
    """Choose the quickest kind of offloading that fits. free_bytes: None means not known."""
    parts = tuple(parts)
    if free_bytes is None:
        return "none"
    return next(
        (each for each in OFFLOADS if estimate(parts, each, quantization, pixels) <= free_bytes),
        OFFLOADS[-1],
    )


def find_fit(
    parts: Iterable[PartSize], card_bytes: int, pixels: int = 1024 * 1024
) -> tuple[str, str] | None:
    """Return the first offloading and quantisation of the ladder that fit; None if none does.

    A part that is quantised in its file is counted as it is.
    """
    parts = tuple(parts)
    is_fixed = any(part.is_network and not part.linear_bytes for part in parts)
    return next(
        (
            (offload, kind)
            for offload, kind in _LADDER
            if not (is_fixed and kind in _OF_FILES)
            and estimate(parts, offload, kind, pixels) <= card_bytes
        ),
        None,
    )


def _find_share(part: PartSize, quantization: str) -> float:
    """Return which share of a part's bytes is left after quantisation."""
    is_shrunk = part.is_network or (part.is_encoder and quantization not in _OF_FILES)
    if not is_shrunk or not part.num_bytes:
        return 1.0
    saved = part.linear_bytes * (1 - BITS[quantization] / BITS["none"])
    return 1 - saved / part.num_bytes
