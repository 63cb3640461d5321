"""Finds out what a model can do. That takes a second, so the answer is kept for the next start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import diffusers
import torch

from bot.engine.api import SAMPLER_IDS
from bot.engine.kept_file import KeptFile
from bot.engine.models.family import ModelFamily
from bot.engine.models.rehearsal import choose_samplers
from bot.engine.sampling.samplers import SamplerChoice, Samplers

_FILE_NAME = "facts.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be computed from a model's small files alone.

    choice: the samplers that it offers. row_flop, decode_flop, evaluations: see ``CostModel``.
    """

    choice: SamplerChoice
    row_flop: float
    decode_flop: float
    evaluations: Mapping[str, tuple[int, int]]


def find_facts(
    family: ModelFamily, samplers: Samplers, model: str, cache_dir: Path | None
) -> Facts:
    """Read the facts that an earlier start kept, or find them out and keep them. Raises
    ConfigError. cache_dir: the folder for them; None keeps nothing.
    """
    if cache_dir is None:
        return _find(family, samplers, model)
    file, key = KeptFile(cache_dir / _FILE_NAME), make_key(family)
    kept = _parse(file.read(key))
    if kept is None:
        kept = _find(family, samplers, model)
        file.write(key, asdict(kept))
    return kept


def make_key(family: ModelFamily) -> str:
    """Make a key from all that the facts depend on: configurations, samplers and versions."""
    pipe = family.pipe
    parts = (pipe.scheduler, family.network, family.codec.vae)
    content = [
        [type(part).__name__, {n: v for n, v in dict(part.config).items() if n[0] != "_"}]
        for part in parts
    ]
    versions = [torch.__version__, diffusers.__version__, version("triptych-bot")]
    shapes = [family.size, family.row_shapes()]
    whole = json.dumps([content, shapes, SAMPLER_IDS, versions], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()


def _find(family: ModelFamily, samplers: Samplers, model: str) -> Facts:
    choice = choose_samplers(samplers, model)
    row_flop, decode_flop = family.count_flop()
    evaluations = {}
    for sampler in choice.ids:
        ten, twenty = (samplers.count_evaluations(sampler, n) for n in (10, 20))
        slope = (twenty - ten) // 10
        evaluations[sampler] = (slope, ten - 10 * slope)
    return Facts(choice, row_flop, decode_flop, evaluations)


def _parse(kept: dict[str, Any]) -> Facts | None:
    """Read the stored facts; None if there are none, or if they have another form."""
    try:
        choice = kept["choice"]
        ids, notes = tuple(map(str, choice["ids"])), tuple(map(str, choice["notes"]))
        evaluations = {str(n): (int(a), int(b)) for n, (a, b) in kept["evaluations"].items()}
        if not evaluations.keys() >= {*ids} or choice["default"] not in ids:
            return None
        return Facts(
            SamplerChoice(ids, str(choice["default"]), notes),
            float(kept["row_flop"]),
            float(kept["decode_flop"]),
            evaluations,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
