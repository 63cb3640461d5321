"""Checks a model before it is loaded, for `doctor` and for the start of the bot."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bot.engine.api import ModelSource
from bot.engine.models.files import (
    PICKLE_SUFFIXES,
    BrokenFiles,
    MissingFiles,
    read_json,
    refuse_pickle,
)
from bot.engine.models.folders import CheckedFolder, check_folder
from bot.engine.models.single_files import CheckedFile, check_single_file, find_cached_file
from bot.errors import ConfigError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Defaults:
    """A model's name, steps and guidance scale when a member asks for nothing else."""

    name: str
    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    shows_enlarged: bool = False


def check_model(source: ModelSource, *, thorough: bool = False) -> list[str]:
    """Check a model's files without loading them; returns what was found, one line each.

    It takes milliseconds, and a Hugging Face id is only looked up in the local cache. thorough:
    check all that is possible without loading; this asks the Hub for missing files and takes
    seconds, because it imports torch. Raises ConfigError.
    """
    check = {"folder": _check_folder, "file": _check_file, "hub": _check_id}
    kind = find_kind(source.model)
    found, lines = check[kind](source)
    if thorough and found is not None:
        try:
            _rehearse(found)
        except BrokenFiles as error:
            raise (blame_cache(error, found.path) if kind == "hub" else error) from None
    elif thorough:
        from bot.engine.models.hub import ask_hub  # noqa: PLC0415 imports an HTTP client

        ask_hub(source)
    return lines


def hush_transformers() -> None:
    """Silence a warning that two image processors work without torchvision."""
    logging.getLogger("transformers.utils.import_utils").setLevel(logging.ERROR)


def _rehearse(found: CheckedFolder | CheckedFile) -> None:
    hush_transformers()
    from bot.engine.models.rehearsal import choose_samplers, rehearse  # noqa: PLC0415 imports torch

    config = found.path if isinstance(found, CheckedFolder) else found.config
    if config is not None:
        choose_samplers(rehearse(found, config), found.model)


_Found = tuple[CheckedFolder | CheckedFile | None, list[str]]
"""None where something has yet to be downloaded, and what is to be said."""


def _check_folder(source: ModelSource) -> _Found:
    checked = check_folder(Path(source.model), source.model)
    size = f"{checked.size / 1e6:.1f} MB"
    line = f"{source.model}: a diffusers folder with {size} of weights"
    return checked, [line, *checked.notes]


def _check_file(source: ModelSource) -> _Found:
    checked = check_single_file(source)
    where = source.model_config or f"the Hugging Face Hub ({checked.repository})"
    line = f"{source.model}: {checked.size / 1e6:.1f} MB, small config files from {where}"
    return (None if checked.config is None else checked), [line]


def _check_id(source: ModelSource) -> _Found:
    index = find_cached_file(source.model, "model_index.json")
    if index is None:
        line = f"{source.model} is not on this machine yet; it is downloaded at the first start"
        return None, [line]
    try:
        checked = check_folder(index.parent, source.model)
    except MissingFiles:
        return None, [f"{source.model} is only partly here; the start downloads the rest"]
    except BrokenFiles as error:
        raise blame_cache(error, index.parent) from None
    return checked, [f"{source.model} is in the local cache", *checked.notes]


def find_kind(model: str) -> Literal["folder", "file", "hub"]:
    """Tell what MODEL names. Raises ConfigError for pickle files and missing paths."""
    path = Path(model)
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise ConfigError(refuse_pickle(model))
    if path.is_dir():
        return "folder"
    if path.suffix.lower() == ".safetensors":
        if path.is_file() or path.is_symlink():
            return "file"
    elif path.exists():
        raise ConfigError(
            f"MODEL names the file {model}, which is no model: give a diffusers folder, "
            "a .safetensors file or a Hugging Face id such as CompVis/stable-diffusion-v1-4."
        )
    elif _is_hub_id(model):
        return "hub"
    raise ConfigError(
        f"MODEL names {model}, which does not exist: correct the path, or give a Hugging Face id "
        "such as CompVis/stable-diffusion-v1-4."
    )


def _is_hub_id(model: str) -> bool:
    from huggingface_hub.utils import HFValidationError, validate_repo_id  # noqa: PLC0415

    try:
        validate_repo_id(model)
    except HFValidationError:
        return False
    return _HUB_ID.fullmatch(model) is not None


def blame_cache(error: BrokenFiles, folder: Path) -> ConfigError:
    """Explain how to fetch a snapshot's files again."""
    return ConfigError(
        f"{error} It lies in the download cache: delete {folder.parents[1]} and start again "
        "with the Hugging Face Hub in reach."
    )


def read_defaults(folder: Path | None, model: str) -> Defaults:
    """Read ``triptych.json`` from a model folder, or else the pipeline's own defaults.

    Raises ConfigError.
    """
    is_file = model.lower().endswith(".safetensors")
    name = Path(model).stem if is_file else Path(model).name
    path = None if folder is None else folder / "triptych.json"
    if path is None or not path.is_file():
        return Defaults(name)
    content = read_json(path)
    try:
        return Defaults(
            str(content["name"]),
            int(content["num_inference_steps"]),
            float(content["guidance_scale"]),
            bool(content.get("shows_enlarged", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f'{path} must read {{"name": text, "num_inference_steps": number, '
            f'"guidance_scale": number}}; {error!r} stands in the way.'
        ) from error
