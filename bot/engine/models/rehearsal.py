"""Builds a model without its weights, so that loading faults show within a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.loaders import single_file_utils

from bot.engine.models.files import BrokenFiles
from bot.engine.models.folders import CheckedFolder
from bot.engine.models.single_files import CheckedFile
from bot.engine.sampling.samplers import SamplerChoice, Samplers
from bot.errors import ConfigError, TriptychError

Tensors = dict[str, Any]
"""By name; on the device "meta", where they have a shape and no content."""

_VAE_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v."}
_VAE_ATTENTION[".proj_attn."] = ".to_out.0."
_TWO_TEXTS = ("a dog", "the cat")


def rehearse(checked: CheckedFolder | CheckedFile, config: Path) -> Samplers:
    """Load all but the weights, and check that the files have weights for every part.

    config: the folder with the small files. Raises ConfigError.
    """
    with library_faults(checked.model):
        kind = checked.family.load_class()
        parts = _build_parts(kind, config)
        pipe = assemble(kind, config, parts)
        for tokenizer in checked.family.tokenizers:
            _check_tokenizer(getattr(pipe, tokenizer), config / tokenizer)
        found = _list_tensors(checked, parts)
    for name, part in parts.items():
        if name in found:
            _compare(checked.model, name, part, found[name])
    return Samplers(pipe.scheduler)


def choose_samplers(samplers: Samplers, model: str) -> SamplerChoice:
    """List the samplers offered for a model. Raises ConfigError if none works."""
    with library_faults(model):
        return samplers.choose()


def assemble(kind: Any, config: Path, parts: dict[str, Any], **options: Any) -> Any:
    """Build a pipeline from parts; the rest is read from a folder. No safety checker.

    kind: the family's class.
    """
    hide_progress_bars()
    return kind.pipeline_class.from_pretrained(
        config,
        **parts,
        **kind.without_checker,
        use_safetensors=True,
        local_files_only=True,
        **options,
    )


def hide_progress_bars() -> None:
    """Hide bars for work that takes milliseconds; downloads keep theirs."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


@contextmanager
def library_faults(model: str) -> Iterator[None]:
    """Turn what the libraries raise over a model's files into a sentence. Raises ConfigError."""
    try:
        yield
    except (TriptychError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # some libraries raise nothing more specific
        raise _explain(model, error) from error


def _explain(model: str, error: Exception) -> ConfigError:
    reason = next((line for line in str(error).splitlines() if line.strip()), "")
    return ConfigError(
        f"{model} cannot be loaded by the libraries that are installed here: its files are damaged "
        "or were written by another version. Copy or download it again, or choose another model. "
        f"({type(error).__name__}: {reason})"
    )


def _build_parts(kind: Any, config: Path) -> dict[str, Any]:
    with torch.device("meta"):
        return {name: _build_part(part, config / name) for name, part in kind.part_classes}


def _build_part(kind: Any, folder: Path) -> Any:
    """Build a part of diffusers or of transformers from its config.json."""
    if issubclass(kind, transformers.PreTrainedModel):
        config: Any = kind.config_class
        return kind(config.from_pretrained(folder, local_files_only=True))
    return kind.from_config(kind.load_config(folder, local_files_only=True))


def _check_tokenizer(tokenizer: Any, folder: Path) -> None:
    one, other = (tokenizer(text).input_ids for text in _TWO_TEXTS)
    if one == other:
        raise BrokenFiles(
            f"The tokenizer in {folder} knows no words, so every prompt would draw "
            "the same picture: copy or download the whole model folder again."
        )


def _list_tensors(
    checked: CheckedFolder | CheckedFile, parts: dict[str, Any]
) -> dict[str, Tensors]:
    """List each part's tensors in the files, with the names that the part uses."""
    if isinstance(checked, CheckedFile):
        state = _make_state(checked.tensors)
        convert = {
            "unet": lambda part: single_file_utils.convert_ldm_unet_checkpoint(state, part.config),
            "vae": lambda part: single_file_utils.convert_ldm_vae_checkpoint(state, part.config),
            "text_encoder": lambda part: _convert_text_encoder(part, state),
        }
        return {name: convert[name](parts[name]) for name in checked.parts}
    found = {name: _make_state(weights.tensors) for name, weights in checked.weights.items()}
    found["vae"] = {_rename_attention(name): value for name, value in found["vae"].items()}
    return {
        name: _strip(tensors) if name.startswith("text_encoder") else tensors
        for name, tensors in found.items()
    }


def _make_state(tensors: Tensors) -> Tensors:
    return {name: torch.empty(tensor["shape"], device="meta") for name, tensor in tensors.items()}


def _convert_text_encoder(encoder: Any, state: Tensors) -> Tensors:
    if single_file_utils.is_open_clip_model(state):
        return _strip(single_file_utils.convert_open_clip_checkpoint(encoder, state))
    return _strip(single_file_utils.convert_ldm_clip_checkpoint(state))


def _strip(tensors: Tensors) -> Tensors:
    """Remove a level of the names that transformers has dropped since 5.6."""
    return {name.removeprefix("text_model."): value for name, value in tensors.items()}


def _rename_attention(name: str) -> str:
    """Rename as diffusers does when it reads the VAEs of early folders."""
    for old, new in _VAE_ATTENTION.items():
        name = name.replace(old, new) if ".attentions." in name else name
    return name


def _compare(model: str, name: str, part: Any, found: Tensors) -> None:
    wanted = _strip(part.state_dict()) if name.startswith("text_encoder") else part.state_dict()
    wanted = {each: tensor for each, tensor in wanted.items() if "position_ids" not in each}
    missing = [each for each in wanted if each not in found]
    other = [each for each in wanted if each in found and found[each].shape != wanted[each].shape]
    for faulty, fault in ((missing, "are not there"), (other, "have another shape")):
        if faulty:
            raise BrokenFiles(
                f"{model} does not fit its config files: of the {len(wanted)} weights of its "
                f"{name}, {len(faulty)} {fault} ({faulty[0]} is one). Copy or download the whole "
                "model again; for a single file, MODEL_CONFIG must be of the same kind of model."
            )
