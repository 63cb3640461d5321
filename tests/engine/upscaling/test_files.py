"""Files that UPSCALER may name, and the messages about others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bot.engine.upscaling.files import NetworkPlan, check_upscaler, read_plan
from bot.engine.upscaling.upscaler import load_upscaler
from bot.errors import ConfigError
from tests.engine.upscaling.conftest import (
    SMALL_COMPACT,
    SMALL_RRDB,
    SMALL_RRDB_BY_TWO,
    save_network,
)
from tests.fakes.engine import UPSCALER

CPU = torch.device("cpu")


def test_shipped_upscaler_is_read_from_its_shapes() -> None:
    info = check_upscaler(UPSCALER)
    assert (info.name, info.factor, info.factors) == ("realesr-animevideov3-x4", 4, (4, 2))
    assert info.margin_pixels == 18
    assert info.flop_per_pixel == 2 * (27 * 64 + 16 * 9 * 64 * 64 + 9 * 64 * 48)


@pytest.mark.parametrize("prefix", ["", "params.", "params_ema."])
@pytest.mark.parametrize(
    "plan",
    [SMALL_COMPACT, NetworkPlan("compact", 3, 8, 3), SMALL_RRDB, SMALL_RRDB_BY_TWO],
    ids=lambda plan: f"{plan.family} ×{plan.factor}",
)
def test_families_factors_and_prefixes_are_told_apart(
    tmp_path: Path, plan: NetworkPlan, prefix: str
) -> None:
    path = save_network(tmp_path / "a.safetensors", plan, prefix)
    assert read_plan(path) == (plan, prefix)
    assert load_upscaler(path, CPU).factor == plan.factor


def test_work_of_rrdb_counts_its_enlarged_half() -> None:
    wide, narrow = SMALL_RRDB.flop_per_pixel(), SMALL_RRDB_BY_TWO.flop_per_pixel()
    half = 2 * 9 * (8 * 8 * (4 + 16 + 16) + 3 * 8 * 16)
    assert wide > half
    first = 2 * 9 * 8
    assert narrow * 4 - first * 12 == pytest.approx(wide - first * 3)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def spoil_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"shape"', b'"shaqe"', 1))


def make_pointer(path: Path) -> None:
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def put_other_model(path: Path) -> None:
    save_file({"conv_in.weight": torch.zeros(4, 4, 3, 3)}, path)


def put_other_factor(path: Path) -> None:
    save_network(path, NetworkPlan("compact", 5, 8, 2))


def leave_out(path: Path) -> None:
    save_network(path, SMALL_RRDB)
    header = json.loads(path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")])
    save_file(
        {name: torch.zeros(v["shape"]) for name, v in header.items() if "hr.b" not in name}, path
    )


def make_wide(path: Path) -> None:
    save_network(path, SMALL_COMPACT, body__2__weight=torch.zeros(9, 8, 3, 3))


def put_integers(path: Path) -> None:
    save_network(path, SMALL_COMPACT, body__0__bias=torch.zeros(8, dtype=torch.int32))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_off, "incomplete"),
        (spoil_header, "broken"),
        (make_pointer, "Git LFS pointer"),
        (empty, "broken"),
        (put_other_model, "no upscaler that Triptych knows"),
        (put_other_factor, "no upscaler that Triptych knows"),
        (leave_out, "conv_hr.bias should be 8 and is missing"),
        (make_wide, "body.2.weight should be 8×8×3×3 and is 9×8×3×3"),
        (put_integers, "body.0.bias as I32"),
        (Path.unlink, "does not exist"),
    ],
)
def test_file_that_cannot_be_used_is_explained(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    path = save_network(tmp_path / "a.safetensors", SMALL_COMPACT)
    spoil(path)
    for use in (check_upscaler, lambda path: load_upscaler(path, CPU)):
        with pytest.raises(ConfigError, match=said) as caught:
            use(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(("name", "said"), [("a.pth", "pickle"), ("a.onnx", "no .safetensors")])
def test_other_kinds_of_files_are_refused_by_name(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(ConfigError, match=said):
        check_upscaler(path)
