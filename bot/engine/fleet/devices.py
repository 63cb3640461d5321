"""Makes one engine for each device of this machine. Needs no torch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bot.engine.api import EngineApi, ModelSource
from bot.engine.engine import Engine
from bot.engine.fleet.processes import start_engine
from bot.engine.fleet.remote_engine import RemoteEngine
from bot.engine.fleet.sources import SeatSource
from bot.engine.pool import EnginePool

_VISIBLE = {
    "cuda": "CUDA_VISIBLE_DEVICES",
    "rocm": "HIP_VISIBLE_DEVICES",
    "xpu": "ZE_AFFINITY_MASK",
}
"""For each kind of device, the variable that limits a process to some cards."""


def open_pool(
    models: ModelSource | Sequence[ModelSource],
    devices: Sequence[str],
    sources: Sequence[SeatSource] = (),
    **options: Any,
) -> EnginePool:
    """Make a pool with one engine for each device, such as "cuda:1". options: see ``Engine``.

    models: each engine gets all of them, the default one first. sources: where more engines come
    from.
    A single device is used in this process. If other machines draw as well, it gets a child
    process, so that the bot goes on if its own card fails.
    """
    everything = (models,) if isinstance(models, ModelSource) else tuple(models)
    if not devices and not sources:
        return EnginePool({}, alone=Engine(everything, **options))
    if len(devices) == 1 and not sources:
        kind, environ = read_device(devices[0])
        os.environ.update(environ)
        return EnginePool({}, alone=Engine(_use(everything, kind), **options))
    makers = {
        name: partial(
            _make_child, name, partial(Engine, _use(everything, kind), **options), environ
        )
        for name, kind, environ in list_children(devices)
    }
    return EnginePool(makers, sources)


def list_children(devices: Sequence[str]) -> list[tuple[str, str, dict[str, str]]]:
    """Return a name, a kind of device and environment variables for each child process.

    Several processes on the CPU share its cores.
    """
    shares = devices.count("cpu")
    met: Counter[str] = Counter()
    children = []
    for device in devices:
        met[device] += 1
        name = device if devices.count(device) == 1 else f"{device} ({met[device]})"
        children.append((name, *read_device(device, shares)))
    return children


def read_device(device: str, cpu_shares: int = 1) -> tuple[str, dict[str, str]]:
    """Return the kind in "cuda:1", and the variables with which a process sees only this card."""
    kind, _, index = device.partition(":")
    environ: dict[str, str] = {}
    if index and kind in _VISIBLE:
        variable = _VISIBLE[kind]
        allowed = [card for card in os.environ.get(variable, "").split(",") if card]
        number = int(index)
        environ[variable] = allowed[number] if number < len(allowed) else index
    if kind == "cpu" and cpu_shares > 1:
        environ["OMP_NUM_THREADS"] = str(max(1, ((os.cpu_count() or 1) - 1) // cpu_shares))
    return kind, environ


def _use(models: tuple[ModelSource, ...], device: str) -> tuple[ModelSource, ...]:
    return tuple(replace(each, device=device) for each in models)


def _make_child(
    name: str, make_engine: Callable[[], EngineApi], environ: Mapping[str, str]
) -> RemoteEngine:
    return RemoteEngine(name, partial(start_engine, make_engine, environ))
