"""The two upscaling networks as in their papers, with the authors' names for the tensors.

The compact network: https://arxiv.org/abs/2107.10833 (Real-ESRGAN) and its note on small models.
RRDBNet: https://arxiv.org/abs/1809.00219 (ESRGAN), section 3.1.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import chain

import torch
from torch import nn
from torch.nn import functional

from bot.engine.upscaling.files import NetworkPlan

_RESIDUAL = 0.2
"""The share of a block's result that is added to the block's input (section 3.1)."""
_SLOPE = 0.2


def build_network(plan: NetworkPlan) -> nn.Module:
    """Build a network without weights. Its input and output are (1, 3, h, w) in [0, 1]."""
    return CompactNetwork(plan) if plan.family == "compact" else ResidualNetwork(plan)


class CompactNetwork(nn.Module):
    """The compact network. Its convolutions work at the small size. The last one outputs the large
    picture, which is added to a copy of the small picture in which each pixel is repeated.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        features = plan.num_features
        pairs = (
            (_convolve(features if n else 3, features), nn.PReLU(features))
            for n in range(plan.num_blocks + 1)
        )
        last = _convolve(features, 3 * plan.factor**2)
        self.body = nn.Sequential(*chain.from_iterable(pairs), last)
        self._factor = plan.factor

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        details = functional.pixel_shuffle(self.body(picture), self._factor)
        return details + functional.interpolate(picture, scale_factor=self._factor)


class ResidualNetwork(nn.Module):
    """RRDBNet: residual-in-residual dense blocks at the small size, then two doublings.

    A ×2 network first packs 2×2 pixels into channels, and then works like a ×4 network.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        features = plan.num_features
        self._packed = 4 // plan.factor
        self.conv_first = _convolve(3 * self._packed**2, features)
        blocks = (_Block(features, plan.growth) for _ in range(plan.num_blocks))
        self.body = nn.Sequential(*blocks)
        self.conv_body = _convolve(features, features)
        self.conv_up1 = _convolve(features, features)
        self.conv_up2 = _convolve(features, features)
        self.conv_hr = _convolve(features, features)
        self.conv_last = _convolve(features, 3)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        first = self.conv_first(functional.pixel_unshuffle(picture, self._packed))
        inner = first + self.conv_body(self.body(first))
        for convolve in (self.conv_up1, self.conv_up2):
            inner = _activate(convolve(functional.interpolate(inner, scale_factor=2)))
        return self.conv_last(_activate(self.conv_hr(inner)))


class _Block(nn.Module):
    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (_Dense(features, growth) for _ in range(3))

    def forward(self, inner: torch.Tensor) -> torch.Tensor:
        return self.rdb3(self.rdb2(self.rdb1(inner))) * _RESIDUAL + inner


class _Dense(nn.Sequential):
    """A dense block: each convolution gets the block's input and all earlier outputs."""

    def __init__(self, features: int, growth: int) -> None:
        outs = (growth, growth, growth, growth, features)
        super().__init__(
            OrderedDict(
                (f"conv{n + 1}", _convolve(features + n * growth, out))
                for n, out in enumerate(outs)
            )
        )

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        *grow, last = self
        seen = input
        for convolve in grow:
            seen = torch.cat((seen, _activate(convolve(seen))), 1)
        return last(seen) * _RESIDUAL + input


def _activate(inner: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(inner, _SLOPE)


def _convolve(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)
