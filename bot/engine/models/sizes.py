"""Says how much of a card's memory a model needs, by the headers of its files. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.engine.api import ModelSource
from bot.engine.capacity.memory import (
    OFFLOADS,
    PartSize,
    choose_offload,
    estimate,
    find_fit,
    measure_part,
)
from bot.engine.models.checks import find_files
from bot.engine.models.folders import CheckedFolder
from bot.engine.models.single_files import CheckedFile, list_tensors

PIXELS = {"sd": 512 * 512}
"""The size of a picture, for families that do not draw 1024 × 1024 pixels."""

_SPOKEN = {"transformer": "transformer", "unet": "UNet", "vae": "VAE"}


@dataclass(frozen=True, slots=True)
class Need:
    """Whether a model fits on a card. remedy: which settings make it fit; "" if it fits."""

    fits: bool
    detail: str
    remedy: str = ""


def measure(found: CheckedFolder | CheckedFile, width: int = 2) -> tuple[PartSize, ...]:
    """Measure the parts that a checked model holds. width: bytes of each number once loaded."""
    if isinstance(found, CheckedFile):
        parts = {part: list_tensors(found, part) for part in found.parts}
    else:
        parts = {part: weights.tensors for part, weights in found.weights.items()}
    return tuple(measure_part(part, tensors, width) for part, tensors in parts.items())


def measure_need(source: ModelSource, card_bytes: int) -> Need | None:
    """Compare what a model needs with a card's memory; None if its files are not here yet.

    Raises ConfigError.
    """
    found = find_files(source)
    if found is None:
        return None
    pixels = PIXELS.get(found.family.id, 1024 * 1024)
    return describe_need(measure(found), source, card_bytes, pixels)


def describe_need(
    parts: tuple[PartSize, ...], source: ModelSource, card_bytes: int, pixels: int
) -> Need:
    """Say what a model needs with the present settings, and with which settings it would fit."""
    kind, offload = source.quantization, source.offload
    if offload == "auto":
        offload = choose_offload(parts, card_bytes, kind, pixels) if kind != "nf4" else "none"
    need = estimate(parts, offload, kind, pixels)
    fits = need <= card_bytes
    setting = f"OFFLOAD={offload}" + (f", QUANTIZATION={kind}" if kind != "none" else "")
    compared = f"of the card's {_say(card_bytes)}"
    detail = f"{_list_parts(parts)}; needs about {_say(need)} {compared} with {setting}"
    if fits and offload != OFFLOADS[-1]:
        return Need(True, detail)
    better = find_fit(parts, card_bytes, pixels)
    if fits and (better is None or better[0] == offload):
        return Need(True, f"{detail}; every step waits for weights from host memory")
    if better is None:
        return Need(False, detail, "Choose a smaller model, or a card with more memory.")
    return Need(fits, detail, _advise(parts, *better, pixels))


def _advise(parts: Iterable[PartSize], offload: str, kind: str, pixels: int) -> str:
    need = estimate(parts, offload, kind, pixels)
    file = "" if kind == "none" else f"use a GGUF file in {kind} for MODEL (see docs/memory.md), "
    advice = f"{file}set OFFLOAD={offload}: then it needs about {_say(need)}."
    return advice[0].upper() + advice[1:]


def _list_parts(parts: Iterable[PartSize]) -> str:
    sizes: dict[str, int] = {}
    for part in parts:
        name = "text encoders" if part.is_encoder else _SPOKEN.get(part.name, "others")
        sizes[name] = sizes.get(name, 0) + part.num_bytes
    return ", ".join(f"{name} {_say(size)}" for name, size in sizes.items())


def _say(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.1f} GB"
