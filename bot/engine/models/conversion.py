"""Renames the weights of a single file as the parts in diffusers and transformers need them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import single_file_utils
from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES
from diffusers.models.modeling_utils import no_init_weights
from transformers import CLIPTokenizer, PreTrainedModel

from bot.engine.models.families import Family
from bot.engine.models.files import read_json, read_text
from bot.engine.models.single_files import CONFIGS
from bot.engine.models.vaes import PREFIX, CheckedVae

Tensors = dict[str, Any]
"""Tensors by name, on the device "meta": they have a shape but no content."""

_OPEN_CLIP = {
    "text_encoder": "cond_stage_model.model.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}
"""How the names begin in a text encoder that was trained with OpenCLIP."""

_VAE_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v."}
_VAE_ATTENTION[".proj_attn."] = ".to_out.0."


def build_parts(family: Family, config: Path, vae: CheckedVae | None = None) -> dict[str, Any]:
    """Build a model's parts without their weights, as its config files describe them.

    vae: replaces the model's own VAE. Call this where new tensors take no memory (device "meta").
    """
    own = vae.config if vae else None
    with no_init_weights():  # filling them with random numbers takes a third of the time
        return {
            name: _build_part(kind, config / name, own if name == "vae" else None)
            for name, kind in family.load_class().part_classes
        }


def _build_part(kind: Any, folder: Path, config: dict[str, Any] | None) -> Any:
    """Build a part of transformers or of diffusers."""
    if issubclass(kind, PreTrainedModel):
        config_class: Any = kind.config_class
        return kind(config_class.from_pretrained(folder, local_files_only=True))
    return kind.from_config(config or read_json(folder / "config.json"))


def build_tokenizers(config: Path) -> dict[str, Any]:
    """Build the tokenizers for a config folder that comes with Triptych, from one list of merges.

    Other config folders contain their own tokenizer files, so nothing is built for them.
    """
    if config.parent != CONFIGS:
        return {}
    vocabulary, merges = _read_vocabulary()
    return {
        place.name: CLIPTokenizer(
            vocab=vocabulary,
            merges=merges,
            pad_token=settings["pad_token"],
            model_max_length=settings["model_max_length"],
        )
        for place in sorted(config.glob("tokenizer*"))
        for settings in [read_json(place / "tokenizer_config.json")]
    }


def convert(tensors: Tensors, parts: Mapping[str, Any]) -> dict[str, Tensors]:
    """Sort a checkpoint's weights by part, and give them the names that each part uses.

    tensors: from `single_files.choose_tensors`. parts: from `build_parts`.
    """
    return {name: _convert_part(name, part, tensors) for name, part in parts.items()}


def convert_network(tensors: Tensors, part: Any) -> Tensors:
    """Rename the weights of a transformer file for diffusers, if they have their original names."""
    wanted = part.state_dict()
    if sum(name in tensors for name in wanted) > len(wanted) / 2:  # a few names are in both
        return tensors
    kind = SINGLE_FILE_LOADABLE_CLASSES.get(type(part).__name__)
    if kind is None:
        return tensors
    return kind["checkpoint_mapping_fn"](checkpoint=dict(tensors), config=part.config)


def convert_vae(tensors: Tensors, part: Any) -> Tensors:
    """Rename a VAE's weights for diffusers. They come from a checkpoint or a diffusers folder."""
    if any(".down_blocks." in name for name in tensors):
        return {rename_attention(name.removeprefix(PREFIX)): each for name, each in tensors.items()}
    return single_file_utils.convert_ldm_vae_checkpoint(tensors, part.config)


def rename_attention(name: str) -> str:
    """Return the name that diffusers gives to a VAE's weight from an early diffusers folder."""
    for old, new in _VAE_ATTENTION.items():
        name = name.replace(old, new) if ".attentions." in name else name
    return name


def strip(tensors: Tensors) -> Tensors:
    """Remove ``text_model`` from the names of weights, as transformers 5.6 did."""
    return {name.removeprefix("text_model."): value for name, value in tensors.items()}


def make_state(header: Tensors) -> Tensors:
    """Make tensors without content, with the shapes that a file's header lists."""
    return {name: torch.empty(tensor["shape"], device="meta") for name, tensor in header.items()}


def _convert_part(name: str, part: Any, tensors: Tensors) -> Tensors:
    if name == "unet":
        return single_file_utils.convert_ldm_unet_checkpoint(tensors, part.config)
    if name == "vae":
        return convert_vae(tensors, part)
    start = _OPEN_CLIP[name]
    if any(each.startswith(start) for each in tensors):
        found = single_file_utils.convert_open_clip_checkpoint(part, tensors, prefix=start)
    else:
        found = single_file_utils.convert_ldm_clip_checkpoint(tensors)
    return found if hasattr(part, "text_model") else strip(found)


def _read_vocabulary() -> tuple[dict[str, int], list[Any]]:
    """Derive CLIP's 49,408 tokens from the list of merges, as CLIP's own tokenizer does."""
    lines = read_text(CONFIGS / "clip" / "merges.txt").split("\n")
    merges = [
        (first, second) for first, _, second in (line.partition(" ") for line in lines if line)
    ]
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in shown]
    letters += [chr(256 + number) for number in range(256 - len(shown))]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [first + second for first, second in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(words)}, merges
