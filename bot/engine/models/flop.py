"""Counts a model's work from its configuration, without running the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

_Call = Callable[[Any, torch.Tensor], object]
_Predict = Callable[[Any, torch.Tensor, torch.Tensor, dict[str, torch.Tensor]], object]


def count_network_flop(
    network: Any,
    latent: Sequence[int],
    rows: Mapping[str, Sequence[int]],
    predict: _Predict,
    layer_counts: Sequence[str] = (),
) -> float:
    """Count the FLOP of one row of the network. latent: (C, h, w).

    rows: see ``ModelFamily.row_shapes``. predict: ``ModelFamily.predict``; it is called with an
    empty network of the same configuration. layer_counts: the settings that say how many equal
    layers the network has. Only one or two of them are run, and the others cost the same: all 60
    of Qwen-Image would take 6 s.
    """

    def call(network: Any, inputs: torch.Tensor) -> object:
        texts = {name: torch.zeros(1, *shape) for name, shape in rows.items()}
        return predict(network, inputs, torch.zeros(1), texts)

    def count(**changes: int) -> float:
        config = _freeze({**network.config, **changes})
        return _count((type(network), config, shape, json.dumps(rows)), shape, call)

    shape, single = (1, *latent), dict.fromkeys(layer_counts, 1)
    base = count(**single)
    more = ((network.config[n] - 1) * (count(**{**single, n: 2}) - base) for n in layer_counts)
    return base + sum(more)


def count_vae_flop(vae: Any, latent: Sequence[int]) -> float:
    """Count the FLOP to decode one picture from a latent (C, h, w), as the VAE takes it."""
    shape = (1, *latent)
    key = (type(vae), _freeze(vae.config), shape)
    return _count(key, shape, lambda vae, inputs: vae.decode(inputs))


def _freeze(config: Any) -> str:
    """Turn a config into a string, without its notes ("_…"), which do not change the work."""
    shape = {name: value for name, value in config.items() if not name.startswith("_")}
    return json.dumps(shape, sort_keys=True, default=str)


_COUNTS: dict[tuple[Any, ...], float] = {}
"""Results by class, configuration and shapes. Counting takes a second, and fine-tunes share the
result.
"""


def _count(key: tuple[Any, ...], shape: tuple[int, ...], call: _Call) -> float:
    """Count the FLOP of ``call`` on a model built from this key, with inputs of this shape."""
    kind, config, *_ = key
    if key not in _COUNTS:
        with (
            torch.device("meta"),
            torch.no_grad(),
            FlopCounterMode(display=False) as counter,
        ):
            call(kind.from_config(json.loads(config)), torch.zeros(shape))
        _COUNTS[key] = float(counter.get_total_flops())
    return _COUNTS[key]
