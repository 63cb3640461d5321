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
    network: Any, latent: Sequence[int], rows: Mapping[str, Sequence[int]], predict: _Predict
) -> float:
    """Count the FLOP of one row of the network. latent: (C, h, w).

    rows: see ``ModelFamily.row_shapes``. predict: ``ModelFamily.predict``; it is called with an
    empty network of the same configuration.
    """

    def call(network: Any, inputs: torch.Tensor) -> object:
        texts = {name: torch.zeros(1, *shape) for name, shape in rows.items()}
        return predict(network, inputs, torch.zeros(1), texts)

    shape = (1, *latent)
    key = (type(network), _freeze(network.config), shape, json.dumps(rows))
    return _count(key, shape, call)


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
