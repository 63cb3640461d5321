"""Checks a model before it is loaded, for `doctor` and for the start of the bot."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal

from bot.domain.licences import describe_licence
from bot.engine.api import ModelSource
from bot.engine.models.files import (
    PICKLE_SUFFIXES,
    BrokenFiles,
    MissingFiles,
    read_json,
    refuse_pickle,
)
from bot.engine.models.folders import CheckedFolder, check_folder
from bot.engine.models.gguf_files import SUFFIX
from bot.engine.models.licences import read_licence
from bot.engine.models.network_files import NetworkFile, check_network_file
from bot.engine.models.places import blame_cache, find_cached_file, is_hub_id
from bot.engine.models.single_files import CheckedFile, check_single_file
from bot.engine.models.vaes import CheckedVae, check_fit, check_vae
from bot.engine.process import importing_libraries
from bot.errors import ConfigError


def check_model(source: ModelSource, *, thorough: bool = False) -> list[str]:
    """Check a model's files without loading them. Return lines that describe what was found.

    The check takes milliseconds, and looks up a Hugging Face id only in the local cache. thorough:
    check all that is possible without loading the model. This asks the Hub for missing files and
    takes seconds, because it imports torch. Raises ConfigError.
    """
    kind = find_kind(source.model)
    found, lines = _CHECKS[kind](source)
    vae = check_vae(source)
    if vae is not None:
        check_vae_fit(found, vae)
    if source.vae is not None:
        lines.append(_describe_vae(source.vae, vae))
    if licence := read_licence(source):
        said = describe_licence(licence).removesuffix(".")
        lines.append(said[0].lower() + said[1:])
    if thorough and found is not None:
        try:
            _rehearse(found, vae)
        except BrokenFiles as error:
            raise (blame_cache(error, found.path) if kind == "hub" else error) from None
    if thorough:
        rest = source if kind == "hub" else replace(source, model=source.model_config or "")
        _ask_hub(rest, found, vae)
    return lines


def hush_transformers() -> None:
    """Silence a warning that two image processors run without torchvision."""
    logging.getLogger("transformers.utils.import_utils").setLevel(logging.ERROR)


def check_vae_fit(found: CheckedFolder | CheckedFile | None, vae: CheckedVae) -> None:
    """Check that a VAE fits the model, if the model's files are here. Raises ConfigError."""
    if found is not None:
        check_fit(vae, read_json(get_config(found) / "vae" / "config.json"))


def get_config(found: CheckedFolder | CheckedFile) -> Path:
    """Return the folder that holds the config files of a checked model."""
    return found.path if isinstance(found, CheckedFolder) else found.config


def _rehearse(found: CheckedFolder | CheckedFile, vae: CheckedVae | None) -> None:
    hush_transformers()
    with importing_libraries():
        from bot.engine.models.rehearsal import choose_samplers, rehearse  # noqa: PLC0415

    choose_samplers(rehearse(found, get_config(found), vae), found.model)


def _ask_hub(
    source: ModelSource, found: CheckedFolder | CheckedFile | None, vae: CheckedVae | None
) -> None:
    """Ask the Hub for what has yet to be downloaded."""
    is_vae_missing = source.vae is not None and vae is None
    if found is not None and not is_vae_missing:
        return
    from bot.engine.models.hub import ask_hub, ask_hub_for_vae  # noqa: PLC0415 imports a client

    if found is None:
        ask_hub(source)
    if is_vae_missing:
        ask_hub_for_vae(source)


def _describe_vae(name: str, vae: CheckedVae | None) -> str:
    if vae is None:
        return f"VAE {name} is not on this machine yet; it is downloaded at the first start"
    return f"VAE {name}: {vae.size / 1e6:.1f} MB, in place of the model's own"


_Found = tuple[CheckedFolder | CheckedFile | None, list[str]]
"""What was found, or None if it has to be downloaded first; and the notes for the owner."""


def _check_folder(source: ModelSource) -> _Found:
    checked = check_folder(Path(source.model), source.model, has_vae=source.vae is not None)
    size = f"{checked.size / 1e6:.1f} MB"
    line = f"{source.model}: a diffusers folder with {size} of weights"
    return checked, [line, *checked.notes]


def _check_file(source: ModelSource) -> _Found:
    network = check_network_file(source)
    if network is not None:
        return _check_network(source, network)
    checked = check_single_file(source)
    where = f", small config files from {source.model_config}" if checked.is_lent else ""
    return checked, [f"{source.model}: {checked.size / 1e6:.1f} MB, {checked.label}{where}"]


def _check_network(source: ModelSource, network: NetworkFile) -> _Found:
    """Check a transformer file together with the rest of its model, if that is on this machine."""
    config = str(source.model_config)
    line = f"{source.model}: {network.weights.size / 1e6:.1f} MB, {network.label}"
    folder = Path(config)
    if is_cached := not folder.is_dir():
        index = find_cached_file(config, "model_index.json")
        if index is None:
            return None, [f"{line}; the rest of {config} is downloaded at the first start"]
        folder = index.parent
    try:
        checked = check_folder(
            folder, source.model, has_vae=source.vae is not None, network=network
        )
    except MissingFiles:
        if not is_cached:
            raise
        return None, [f"{line}; {config} is only partly here; the start downloads the rest"]
    except BrokenFiles as error:
        raise (blame_cache(error, folder) if is_cached else error) from None
    return checked, [f"{line}, the other parts from {config}", *checked.notes]


def _check_id(source: ModelSource) -> _Found:
    index = find_cached_file(source.model, "model_index.json")
    if index is None:
        line = f"{source.model} is not on this machine yet; it is downloaded at the first start"
        return None, [line]
    try:
        checked = check_folder(index.parent, source.model, has_vae=source.vae is not None)
    except MissingFiles:
        return None, [f"{source.model} is only partly here; the start downloads the rest"]
    except BrokenFiles as error:
        raise blame_cache(error, index.parent) from None
    return checked, [f"{source.model} is in the local cache", *checked.notes]


_CHECKS = {"folder": _check_folder, "file": _check_file, "hub": _check_id}


def find_files(source: ModelSource) -> CheckedFolder | CheckedFile | None:
    """Check a model's files and return them; None if they are not all on this machine.

    Raises ConfigError.
    """
    found, _ = _CHECKS[find_kind(source.model)](source)
    return found


def find_kind(model: str) -> Literal["folder", "file", "hub"]:
    """Find out what MODEL names. Raises ConfigError for pickle files and missing paths."""
    path = Path(model)
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise ConfigError(refuse_pickle(model))
    if path.is_dir():
        return "folder"
    if path.suffix.lower() in {".safetensors", SUFFIX}:
        if path.is_file() or path.is_symlink():
            return "file"
    elif path.exists():
        raise ConfigError(
            f"MODEL names the file {model}, which is no model: give a diffusers folder, a "
            ".safetensors or .gguf file, or a Hugging Face id such as "
            "CompVis/stable-diffusion-v1-4."
        )
    elif is_hub_id(model):
        return "hub"
    raise ConfigError(
        f"MODEL names {model}, which does not exist: correct the path, or give a Hugging Face id "
        "such as CompVis/stable-diffusion-v1-4."
    )
