"""Reads a model's small files and the headers of its large ones, and explains faults."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
_MAX_HEADER_BYTES = 100_000_000
"""The safetensors format's own limit."""
_LFS_POINTER = b"version https://git-lfs"
_FLOATS = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
_SCALED = (".scale_weight", ".weight_scale", ".scale_input", ".input_scale", "scaled_fp8")
_QUANTISED = (".absmax", ".quant_map", ".qweight", ".comfy_quant")
_UNUSED = re.compile(r"position_ids$|\.num_batches_tracked$")
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}


class BrokenFiles(ConfigError):
    """Files of the model are missing, cut short or unreadable. The owner must copy them again."""


class MissingFiles(BrokenFiles):
    """Files of the model are missing, but its source may still have them."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The headers of one part's safetensors files.

    size: the bytes of all files. metadata: the notes of the program that wrote the file.
    """

    tensors: dict[str, Any]
    size: int
    metadata: dict[str, str] = field(default_factory=dict)


def read_weights(path: Path) -> Weights:
    """Read a safetensors file's header. Raises ConfigError for a missing or shortened file.

    Format: https://huggingface.co/docs/safetensors — 8 bytes of length, JSON, tensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(_LFS_POINTER))
            length = int.from_bytes(start[:8], "little")
            refuse_pointer(path, start)
            if length > min(size, _MAX_HEADER_BYTES):
                raise ValueError("the header is longer than the file")
            file.seek(8)
            header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", None) or {}
        end = 8 + length + _measure(header)
        said = {str(name): str(value) for name, value in metadata.items()}
    except OSError as error:
        raise explain_unreadable(path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenFiles(
            f"{path} is broken (its header cannot be read): copy or download it again."
        ) from error
    if size != end:
        raise BrokenFiles(
            f"{path} is incomplete ({size} of {end} bytes): copy or download it again."
        )
    return Weights(header, size, said)


def refuse_pointer(path: Path, start: bytes) -> None:
    """Raise ConfigError if a file that starts so is a Git LFS pointer."""
    if start.startswith(_LFS_POINTER):
        raise MissingFiles(
            f"{path} is only a Git LFS pointer to the weights: run `git lfs pull` in the model "
            "folder, or download the file itself."
        )


def refuse_quantised(path: Path, tensors: dict[str, Any], wanted: Iterable[str]) -> None:
    """Raise ConfigError if the weights with these names are quantised. tensors: the whole file."""
    odd = {
        str(tensors[name]["dtype"])
        for name in wanted
        if not _UNUSED.search(name) and tensors[name]["dtype"] not in _FLOATS
    }
    is_scaled = any(name.endswith(_SCALED) for name in tensors)
    if odd or is_scaled or any(name.endswith(_QUANTISED) for name in tensors):
        how = f"as {', '.join(sorted(odd))}" if odd else "with scales of their own"
        raise ConfigError(
            f"{path} holds quantised weights ({how}), which Triptych does not read: use the same "
            "checkpoint in float16, bfloat16, float32 or plain float8."
        )


def _measure(header: dict[str, Any]) -> int:
    """Return the size of the data. Check that the tensors fill it without gaps or overlaps."""
    position = 0
    for begin, end in sorted(_find_place(tensor) for tensor in header.values()):
        if begin != position:
            raise ValueError("a gap, or two tensors in one place")
        position = end
    if not header:
        raise ValueError("no tensors")
    return position


def _find_place(tensor: dict[str, Any]) -> tuple[int, int]:
    """Return a tensor's start and end. Check that its length fits its shape."""
    (begin, end), shape = tensor["data_offsets"], tensor["shape"]
    if not isinstance(shape, list) or not all(type(each) is int for each in (begin, end, *shape)):
        raise TypeError("no shape, or no place")
    width = _BYTES.get(tensor["dtype"])
    is_long = width is None or math.prod(shape) * width == end - begin
    if not is_long or any(side < 0 for side in shape):
        raise ValueError("a tensor is shorter or longer than its shape")
    return begin, end


def read_tensor(path: Path, tensor: dict[str, Any]) -> NDArray[np.float32] | None:
    """Read a small tensor of a checked file; None if it is not float64, 32, 16 or bfloat16."""
    import numpy as np  # noqa: PLC0415 few models need it

    begin, end = tensor["data_offsets"]
    with path.open("rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        file.seek(start + begin)
        data = file.read(end - begin)
    if tensor["dtype"] == "BF16":  # a bfloat16 is the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    kind = kinds.get(tensor["dtype"])
    return None if kind is None else np.frombuffer(data, kind).astype(np.float32)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ConfigError."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise BrokenFiles(
            f"{path} is damaged (no JSON in it): copy or download the model folder again."
        ) from error
    if not isinstance(content, dict):
        raise BrokenFiles(f"{path} is no JSON object: copy or download the model folder again.")
    return content


def read_text(path: Path) -> str:
    """Read a text file. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise explain_unreadable(path, error) from error
    except ValueError as error:
        raise BrokenFiles(
            f"{path} is damaged (it is no text): copy or download the model folder again."
        ) from error


def refuse_pickle(path: str) -> str:
    """Explain why a pickle file is not opened, and what to do."""
    return (
        f"{path} is a pickle file; pickle files can run code, so Triptych does not open them: "
        "convert it to .safetensors or choose a model that has such files."
    )


def explain_unreadable(path: Path, error: OSError) -> ConfigError:
    """Say why a file cannot be read, and what to do."""
    if path.is_symlink() and not path.exists():
        return MissingFiles(
            f"{path} is a link to {path.readlink()}, which is not there: copy or download the "
            "whole model again."
        )
    if isinstance(error, FileNotFoundError):
        return MissingFiles(f"{path} is not there: copy or download the whole model folder again.")
    if isinstance(error, PermissionError):
        return ConfigError(
            f"{path} cannot be read by the user that runs Triptych: change its permissions "
            "(chmod a+r), or its owner."
        )
    return BrokenFiles(
        f"{path} cannot be read ({error.strerror or error}): copy or download the model again."
    )
