"""Reads the headers of GGUF files, without torch.

Format: https://github.com/ggml-org/llama.cpp/tree/master/gguf-py
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from bot.engine.models.files import BrokenFiles, Weights, explain_unreadable, refuse_pointer
from bot.errors import ConfigError

SUFFIX = ".gguf"
_MAGIC = b"GGUF"
_ARCHITECTURE = "general.architecture"

READABLE = {
    *("F32", "F16", "BF16"),
    *("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"),
    *("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"),
}
"""The kinds of quantisation that diffusers computes with."""


def read_gguf(path: Path) -> Weights:
    """Read a GGUF file's header. Raises ConfigError for a missing, damaged or shortened file.

    The tensors look like those of a safetensors file: "shape" in torch's order, "dtype" (such as
    "Q8_0") and "data_offsets", whose difference is the tensor's size in bytes.
    """
    try:
        with path.open("rb") as file:
            start = file.read(32)
    except OSError as error:
        raise explain_unreadable(path, error) from error
    refuse_pointer(path, start)
    if not start.startswith(_MAGIC):
        raise BrokenFiles(f"{path} is no GGUF file: copy or download it again.")
    tensors, architecture = _read(path)
    if not tensors:
        raise BrokenFiles(f"{path} has no tensors in it: copy or download it again.")
    odd = sorted({tensor["dtype"] for tensor in tensors.values()} - READABLE)
    if odd:
        raise ConfigError(
            f"{path} is quantised as {', '.join(odd)}, which diffusers cannot read: choose a file "
            "in another quantisation, such as Q8_0 or Q4_K_S."
        )
    return Weights(tensors, path.stat().st_size, {_ARCHITECTURE: architecture})


def _read(path: Path) -> tuple[dict[str, Any], str]:
    from gguf import GGUFReader  # noqa: PLC0415 few models need it

    try:
        reader = GGUFReader(path)
        field = reader.fields.get(_ARCHITECTURE)
        tensors = {
            tensor.name: {
                "dtype": tensor.tensor_type.name,
                "shape": [int(side) for side in reversed(tensor.shape)],
                "data_offsets": [0, int(tensor.n_bytes)],
            }
            for tensor in reader.tensors
        }
        return tensors, str(field.contents()) if field else ""
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError, struct.error) as error:
        raise BrokenFiles(
            f"{path} is incomplete or broken: copy or download it again. ({error})"
        ) from error
