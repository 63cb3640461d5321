"""Finds the name of a model's licence, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.domain.licences import Terms, describe_licence, find_terms
from bot.engine.api import ModelSource
from bot.engine.models.defaults import read_defaults
from bot.engine.models.files import read_weights
from bot.engine.models.places import find_cached_file, is_hub_id
from bot.errors import ConfigError

CARD_NAME = "README.md"
_MAX_CARD_BYTES = 1_000_000
_MAX_LENGTH = 200
_OF_FILES = "modelspec.license"
"""Its name in the header of a single file: https://github.com/Stability-AI/ModelSpec"""


def read_licence(source: ModelSource) -> str:
    """Return the name of a model's licence on one line; "" if nothing on this machine says it.

    The first of these counts: MODELS_FILE, ``triptych.json``, the model's card (README.md in its
    folder or in the cache of the Hub), the header of a single file. Raises ConfigError if
    ``triptych.json`` has a fault.
    """
    folder = _find_folder(source.model)
    said = source.licence or read_defaults(folder, source.model).licence
    if not said:
        said = _read_card(folder / CARD_NAME) if folder else _read_header(Path(source.model))
    return " ".join(said.split())[:_MAX_LENGTH]


def _find_folder(model: str) -> Path | None:
    """Find a model's folder, also in the cache of the Hub. None for all others."""
    path = Path(model)
    if path.is_dir():
        return path
    card = None
    if path.suffix.lower() != ".safetensors" and is_hub_id(model):
        card = find_cached_file(model, CARD_NAME)
    return card.parent if card else None


def note_licence(name: str, licence: str) -> tuple[str, ...]:
    """Return a sentence for the start's log if the licence does not allow all uses."""
    if find_terms(licence) in {Terms.PERMISSIVE, Terms.UNKNOWN}:
        return ()
    return (f"{name}: {describe_licence(licence)}",)


def _read_card(path: Path) -> str:
    """Read the licence from the YAML at the beginning of a card. A damaged card has none."""
    from huggingface_hub import metadata_load  # noqa: PLC0415 few folders have a card
    from yaml import YAMLError  # noqa: PLC0415

    try:
        if path.stat().st_size > _MAX_CARD_BYTES:
            return ""
        said = metadata_load(path) or {}
    except (OSError, ValueError, YAMLError, RecursionError):
        return ""
    named = said.get("license_name") if said.get("license") == "other" else None
    return _join(named or said.get("license"))


def _join(licence: Any) -> str:
    if isinstance(licence, list):
        return ", ".join(each for each in licence if isinstance(each, str))
    return licence if isinstance(licence, str) else ""


def _read_header(path: Path) -> str:
    if path.suffix.lower() != ".safetensors":
        return ""
    try:
        return read_weights(path).metadata.get(_OF_FILES, "")
    except ConfigError:
        return ""
