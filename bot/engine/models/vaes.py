"""Checks the VAE that an owner puts in place of the model's own, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.engine.api import ModelSource
from bot.engine.models.files import (
    PICKLE_SUFFIXES,
    BrokenFiles,
    read_json,
    read_weights,
    refuse_pickle,
)
from bot.engine.models.folders import (
    explain_missing,
    find_variant,
    has_weights,
    name_weights,
    read_part,
)
from bot.engine.models.places import blame_cache, find_cached_file, is_hub_id
from bot.engine.models.single_files import check_numbers, rename_key
from bot.errors import ConfigError

PREFIX = "first_stage_model."
"""How the names of a VAE's weights begin in a checkpoint."""

_PREFIXES = (PREFIX, "vae.")
_WHAT = "a .safetensors file, a diffusers folder or a Hugging Face id of a VAE"
_SCALE = 0.18215
"""The scaling factor that diffusers uses if a config names none."""


@dataclass(frozen=True, slots=True)
class CheckedVae:
    """A VAE that can be loaded. name: what the owner calls it.

    tensors: the entries of the header. In a single file, they may have the names of a checkpoint or
    of a diffusers folder. config: from the VAE's folder; None for a single file, which the model's
    config describes. variant: the diffusers variant of the files to read from a folder.
    """

    path: Path
    name: str
    size: int
    tensors: dict[str, Any]
    config: dict[str, Any] | None = None
    variant: str | None = None


def check_vae(source: ModelSource) -> CheckedVae | None:
    """Check the VAE that ``VAE`` names; None if it is not set or not on this machine yet.

    Raises ConfigError.
    """
    if source.vae is None:
        return None
    try:
        return _check(source.vae)
    except BrokenFiles as error:  # the files of the VAE are incomplete, not those of the model
        raise ConfigError(f"VAE: {error}") from error


def _check(name: str) -> CheckedVae | None:
    path = Path(name)
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise ConfigError(refuse_pickle(name))
    if path.is_dir():
        return _check_folder(path, name)
    if path.suffix.lower() == ".safetensors" and (path.is_file() or path.is_symlink()):
        return _check_file(path, name)
    if path.exists() or not is_hub_id(name):
        raise ConfigError(f"VAE names {name}, which is no VAE or does not exist: give {_WHAT}.")
    folder = find_cached_vae(name)
    return None if folder is None else check_cached_vae(folder, name)


def find_cached_vae(repository: str) -> Path | None:
    """Find the folder of a VAE that was downloaded earlier, with all its files."""
    for name in ("config.json", "vae/config.json"):
        found = find_cached_file(repository, name)
        if found is not None and has_weights(found.parent, "vae"):
            return found.parent
    return None


def check_cached_vae(folder: Path, name: str) -> CheckedVae:
    """Check a VAE in the download cache. Raises ConfigError, with what to delete."""
    try:
        return _check_folder(folder, name)
    except BrokenFiles as error:
        raise blame_cache(error, folder.parent if folder.name == "vae" else folder) from None


def _check_folder(folder: Path, name: str) -> CheckedVae:
    """Check a VAE's own folder, or the one in a model's folder. Raises ConfigError."""
    place = folder if (folder / "config.json").exists() else folder / "vae"
    config = read_json(place / "config.json")
    if config.get("_class_name") != "AutoencoderKL":
        raise ConfigError(
            f"VAE names {name}, which holds {config.get('_class_name')} and not the AutoencoderKL "
            "of Stable Diffusion: choose another one, or leave VAE unset."
        )
    if not has_weights(place, "vae"):
        raise explain_missing(place, name_weights("vae"))
    variant = find_variant(place, "vae")
    weights = read_part(place, "vae", variant)
    return CheckedVae(place, name, weights.size, weights.tensors, config, variant)


def check_fit(vae: CheckedVae, config: dict[str, Any]) -> None:
    """Refuse a VAE made for another kind of model. config: the config of the model's own VAE.

    Raises ConfigError.
    """
    for key, usual in (("latent_channels", 4), ("scaling_factor", _SCALE)):
        needed = config.get(key, usual)
        found = vae.config.get(key, usual) if vae.config else _read_shape(vae, key, needed)
        if found != needed:
            raise ConfigError(
                f"VAE names {vae.name}, which is for another kind of model ({key} is {found}, and "
                f"the model needs {needed}): choose one for this kind, or leave VAE unset."
            )


def _read_shape(vae: CheckedVae, key: str, otherwise: Any) -> Any:
    """Read ``latent_channels`` from a file's tensors; for other keys, return ``otherwise``."""
    if key != "latent_channels":
        return otherwise
    return vae.tensors[f"{PREFIX}decoder.conv_in.weight"]["shape"][1]


def _check_file(path: Path, name: str) -> CheckedVae:
    weights = read_weights(path)
    tensors = {name_weight(each): tensor for each, tensor in weights.tensors.items()}
    tensors = {each: tensor for each, tensor in tensors.items() if each.startswith(PREFIX)}
    check_numbers(path, tensors)
    ends = [f"{PREFIX}{side}.conv_in.weight" for side in ("encoder", "decoder")]
    if any(len(tensors.get(end, {}).get("shape", [])) != 4 for end in ends):
        raise ConfigError(
            f"VAE names {name}, which holds no VAE of Stable Diffusion: choose another one, or "
            "leave VAE unset."
        )
    return CheckedVae(path, name, weights.size, tensors)


def name_weight(name: str) -> str:
    """Return a VAE weight's name in a checkpoint. In a VAE's own file, names have no prefix."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    is_vae = name.startswith(("encoder.", "decoder.", "quant_conv.", "post_quant_conv."))
    return rename_key(PREFIX + name) if is_vae else name
