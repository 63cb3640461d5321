"""Recognises the upscaling network in a weights file by the header. Needs no torch.

There are two families, which differ in the names of their tensors: the compact network of
Real-ESRGAN (https://arxiv.org/abs/2107.10833), and RRDBNet of ESRGAN
(https://arxiv.org/abs/1809.00219).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bot.engine.api import UpscalerInfo
from bot.engine.models.files import PICKLE_SUFFIXES, read_weights, refuse_pickle
from bot.errors import ConfigError

Shapes = dict[str, tuple[int, ...]]

FACTORS = (2, 3, 4)
PREFIXES = ("params_ema.", "params.")
"""The prefixes of all names in files that were made from whole training checkpoints."""

_DTYPES = {"F16", "BF16", "F32"}
_MOST_LAYERS = 64
_NUM_DENSE = 5  # how many convolutions a dense block has; a block of RRDBNet has three dense blocks
_COMPACT_FIRST, _RRDB_FIRST = "body.0.weight", "conv_first.weight"


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """The dimensions of a network.

    num_blocks: the number of blocks, or of middle convolutions in the compact network. growth: the
    channels that each convolution of a dense block adds (only in RRDBNet).
    """

    family: Literal["compact", "rrdb"]
    factor: int
    num_features: int
    num_blocks: int
    growth: int = 0

    @property
    def margin_pixels(self) -> int:
        """Return the margin around a tile that the network needs: one pixel per convolution.

        In RRDBNet with 23 blocks, a value depends on positions up to 349 away, but those beyond 112
        change it by less than 1e-5 (measured on x4plus). In a ×2 network, each position stands for
        2×2 pixels.
        """
        if self.family == "compact":
            return self.num_blocks + 2
        return min(3 * _NUM_DENSE * self.num_blocks + 4, 112) * (4 // self.factor)

    def shapes(self) -> Shapes:
        """Return the shape of every tensor in its file."""
        return _list_compact(self) if self.family == "compact" else _list_rrdb(self)

    def flop_per_pixel(self) -> float:
        """Return the FLOP for one pixel of the small picture."""
        shapes = self.shapes().items()
        return sum(
            2 * math.prod(shape) * self._density(name)
            for name, shape in shapes
            if len(shape) == 4  # the rest of the work is a thousandth of that of the convolutions
        )

    def _density(self, name: str) -> float:
        """Return how often a convolution is computed for one pixel of the small picture."""
        if self.family == "compact":
            return 1.0
        # the inner layers of a ×2 network have half the picture's width and height
        inner = (self.factor / 4) ** 2
        return inner * {"conv_up1": 4, "conv_up2": 16, "conv_hr": 16, "conv_last": 16}.get(
            name.partition(".")[0], 1
        )


def check_upscaler(path: Path) -> UpscalerInfo:
    """Read what the network in a file can do. Takes milliseconds. Raises ConfigError."""
    plan, _ = read_plan(path)
    return UpscalerInfo(path.stem, plan.factor, plan.flop_per_pixel(), plan.margin_pixels)


def read_plan(path: Path) -> tuple[NetworkPlan, str]:
    """Recognise a file's network and the prefix of its tensors' names. Raises ConfigError."""
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise ConfigError(refuse_pickle(str(path)))
    if path.suffix.lower() != ".safetensors":
        raise ConfigError(
            f"UPSCALER names {path}, which is no .safetensors file: give the path of one, write "
            "off, or leave it empty for the upscaler that comes with Triptych."
        )
    if not path.exists() and not path.is_symlink():
        raise ConfigError(
            f"UPSCALER names {path}, which does not exist: correct the path, write off, or leave "
            "it empty for the upscaler that comes with Triptych."
        )
    tensors = read_weights(path).tensors
    prefix = next((each for each in PREFIXES if any(n.startswith(each) for n in tensors)), "")
    named = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    shapes = {name: tuple(tensor["shape"]) for name, tensor in named.items()}
    plan = _guess(shapes)
    if plan is None:
        raise ConfigError(_refuse_family(path))
    _compare(path, plan, named, shapes)
    return plan, prefix


def _guess(shapes: Shapes) -> NetworkPlan | None:
    """Guess the plan from a few shapes; None if the file holds something else."""
    try:
        if _RRDB_FIRST in shapes:
            features, channels = shapes[_RRDB_FIRST][:2]
            growth = shapes["body.0.rdb1.conv1.weight"][0]
            factor = {3: 4, 12: 2}.get(channels, 0)
            plan = NetworkPlan("rrdb", factor, features, _count(shapes, "rdb1.conv1"), growth)
        else:
            features = shapes[_COMPACT_FIRST][0]
            last = max(int(name.split(".")[1]) for name in shapes if name.startswith("body."))
            factor = math.isqrt(shapes[f"body.{last}.weight"][0] // 3)
            plan = NetworkPlan("compact", factor, features, last // 2 - 1)
    except (KeyError, ValueError, IndexError):
        return None
    fits = plan.factor in FACTORS and 1 <= plan.num_blocks <= _MOST_LAYERS
    return plan if fits else None


def _count(shapes: Shapes, part: str) -> int:
    found = (re.fullmatch(rf"body\.(\d+)\.{re.escape(part)}\.weight", name) for name in shapes)
    return len([each for each in found if each])


def _compare(path: Path, plan: NetworkPlan, tensors: dict[str, Any], shapes: Shapes) -> None:
    """Compare the shape of every tensor with the plan. Raises ConfigError."""
    wanted = plan.shapes()
    for name in sorted(wanted.keys() | shapes.keys()):
        if wanted.get(name) != shapes.get(name):
            raise ConfigError(
                f"{path} is damaged, or a network of another kind: {name} should be "
                f"{_say(wanted.get(name))} and is {_say(shapes.get(name))}. Copy or download it "
                "again, or choose another file for UPSCALER."
            )
        if tensors[name]["dtype"] not in _DTYPES:
            raise ConfigError(
                f"{path} has {name} as {tensors[name]['dtype']}, which is not supported: UPSCALER "
                "needs weights in float16, bfloat16 or float32."
            )


def _say(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else "×".join(map(str, shape)) or "one number"


def _refuse_family(path: Path) -> str:
    return (
        f"{path} is no upscaler that Triptych knows: UPSCALER takes the compact networks of "
        "Real-ESRGAN (realesr-animevideov3, realesr-general) and RRDBNet (x4plus, x4plus-anime, "
        "x2plus), which enlarge 2, 3 or 4 times, as .safetensors with their authors' names."
    )


def _list_compact(plan: NetworkPlan) -> Shapes:
    features, shapes = plan.num_features, Shapes()
    outs = [features] * (plan.num_blocks + 1) + [3 * plan.factor**2]
    for index, out in enumerate(outs):
        channels = features if index else 3
        shapes |= _list_convolution(f"body.{2 * index}", out, channels)
        if index < len(outs) - 1:
            shapes[f"body.{2 * index + 1}.weight"] = (features,)  # the weights of PReLU
    return shapes


def _list_rrdb(plan: NetworkPlan) -> Shapes:
    features, growth = plan.num_features, plan.growth
    shapes = _list_convolution("conv_first", features, 3 if plan.factor == 4 else 12)
    for block in range(plan.num_blocks):
        for dense in (1, 2, 3):
            for n in range(1, _NUM_DENSE + 1):
                out = growth if n < _NUM_DENSE else features
                name = f"body.{block}.rdb{dense}.conv{n}"
                shapes |= _list_convolution(name, out, features + (n - 1) * growth)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        shapes |= _list_convolution(name, features, features)
    return shapes | _list_convolution("conv_last", 3, features)


def _list_convolution(name: str, out: int, channels: int) -> Shapes:
    return {f"{name}.weight": (out, channels, 3, 3), f"{name}.bias": (out,)}
