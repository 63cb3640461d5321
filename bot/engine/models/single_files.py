"""Checks a single .safetensors checkpoint by its header, without torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.engine.api import ModelSource
from bot.engine.models.defaults import Traits, read_defaults
from bot.engine.models.families import Family
from bot.engine.models.files import read_weights, refuse_quantised
from bot.engine.models.folders import check_config_folder, has_weights
from bot.engine.models.recognition import (
    LABELS,
    UNET,
    Kind,
    find_family_of,
    find_traits,
    recognise,
)
from bot.errors import ConfigError

CONFIGS = Path(__file__).parent / "configs"
"""The folder with each kind's small files, so that a single file needs nothing else."""

_SPOKEN = {"vae": "VAE", "text_encoder": "text encoder", "text_encoder_2": "second text encoder"}
_STARTS = {
    "unet": (UNET,),
    "vae": ("first_stage_model.", "vae."),
    "text_encoder": ("cond_stage_model.", "conditioner.embedders.0."),
    "text_encoder_2": ("conditioner.embedders.1.",),
}
_OLD_TEXT_KEY = re.compile(
    r"cond_stage_model\.transformer\.(?=(embeddings|encoder|final_layer_norm)\.)"
)
_VAE_ATTENTION_KEY = re.compile(
    r"((?:first_stage_model|vae)\.(?:en|de)coder\.mid\.attn_1\.)"
    r"(to_q|to_k|to_v|to_out\.0|query|key|value|proj_attn|group_norm)(?=\.)"
)
_VAE_ATTENTION_NAMES = {
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    "query": "q",
    "key": "k",
    "value": "v",
    "proj_attn": "proj_out",
    "group_norm": "norm",
}


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A checkpoint that can be loaded. model: what the owner calls it.

    tensors: the entries of the header that are loaded, under diffusers' names for a single file.
    parts: the parts in the file; the others come from the config folder or from ``VAE``.
    config: the folder with the config files. is_lent: whether the owner has named this folder.
    label: the kind of model, and how it was recognised.
    """

    path: Path
    model: str
    size: int
    tensors: dict[str, Any]
    parts: tuple[str, ...]
    kind: Kind
    family: Family
    config: Path
    is_lent: bool
    traits: Traits
    label: str


def check_single_file(source: ModelSource) -> CheckedFile:
    """Check a .safetensors checkpoint and its config folder. Raises ConfigError."""
    path = Path(source.model)
    weights = read_weights(path)
    tensors = choose_tensors(weights.tensors)
    kind = recognise(tensors, str(path))
    check_numbers(path, tensors)
    config = _find_config(source, kind)
    family = find_family_of(kind)
    parts = tuple(part for part in family.parts if _holds(tensors, part))
    for part in family.parts:
        is_lent = source.model_config and has_weights(config / part, part)
        is_replaced = part == "vae" and source.vae
        if part not in parts and not is_lent and not is_replaced:
            raise ConfigError(_explain_missing(path, part))
    if source.vae:
        parts = tuple(part for part in parts if part != "vae")
    told, why = (Traits(), "") if source.model_config else find_traits(kind, weights, path)
    traits = _choose(read_defaults(None, source.model).traits, told)
    return CheckedFile(
        path=path,
        model=source.model,
        size=weights.size,
        tensors=tensors,
        parts=parts,
        kind=kind,
        family=family,
        config=config,
        is_lent=source.model_config is not None,
        traits=traits,
        label=_describe(kind, traits, told, why),
    )


def choose_tensors(tensors: dict[str, Any]) -> dict[str, Any]:
    """Choose the weights to load, and rename them. Leave out a second copy from training (EMA).

    Older names (of 2022), and names from a diffusers folder, become the names of a checkpoint.
    """
    return {
        rename_key(name): tensor
        for name, tensor in tensors.items()
        if not name.startswith("model_ema.")
    }


def rename_key(name: str) -> str:
    """Return the name that diffusers uses for a weight.

    Early checkpoints leave ``text_model`` out of the text encoder's names. Checkpoints made from a
    diffusers folder keep that folder's names for the VAE's attention.
    """
    name = _OLD_TEXT_KEY.sub("cond_stage_model.transformer.text_model.", name)
    return _VAE_ATTENTION_KEY.sub(lambda m: m[1] + _VAE_ATTENTION_NAMES[m[2]], name)


def check_numbers(path: Path, tensors: dict[str, Any]) -> None:
    """Refuse quantised weights, because they would draw noise if they were only cast."""
    starts = tuple(start for starts in _STARTS.values() for start in starts)
    refuse_quantised(path, tensors, [name for name in tensors if name.startswith(starts)])


def _choose(owner: Traits, told: Traits) -> Traits:
    """Combine the owner's facts with those from the file. If they differ, the owner's count."""
    prediction = owner.prediction_type or told.prediction_type
    is_zero = told.zero_snr and prediction == "v_prediction"
    return Traits(prediction, is_zero, owner.size or told.size, owner.timestep_spacing)


def _describe(kind: Kind, traits: Traits, told: Traits, why: str) -> str:
    words = [LABELS[kind]]
    if traits.prediction_type:
        is_owner = traits.prediction_type != told.prediction_type
        reason = "triptych.json says so" if is_owner else why
        words.append(f"{traits.prediction_type.replace('_', '-')} ({reason})")
    if traits.size:
        words.append("{}×{} pixels".format(*traits.size))
    return ", ".join(words)


def _find_config(source: ModelSource, kind: Kind) -> Path:
    """Find and check the folder with the config files."""
    if source.model_config is None:
        return CONFIGS / kind
    folder = Path(source.model_config)
    if not folder.is_dir():
        raise ConfigError(
            f"MODEL_CONFIG names {source.model_config}, which is no folder: give a diffusers "
            "folder with the small config files of this kind of model, or leave it unset."
        )
    check_config_folder(folder, source.model_config)
    return folder


def _explain_missing(path: Path, part: str) -> str:
    setting = "set VAE to one (a .safetensors file, a folder or a Hugging Face id), or "
    return (
        f"{path} has no {_SPOKEN[part]} inside: use a checkpoint with all its parts, or "
        f"{setting if part == 'vae' else ''}set MODEL_CONFIG to a diffusers folder of this kind "
        f"of model whose {part}/ has .safetensors weights."
    )


def list_tensors(checked: CheckedFile, part: str) -> dict[str, Any]:
    """Return the entries of the header that belong to one part."""
    starts = _STARTS[part]
    return {name: each for name, each in checked.tensors.items() if name.startswith(starts)}


def _holds(tensors: dict[str, Any], part: str) -> bool:
    return any(name.startswith(_STARTS[part]) for name in tensors)
