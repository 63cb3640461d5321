"""Builds a model without its weights, to find faults in its files within a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from bot.engine.models.conversion import (
    Tensors,
    build_parts,
    build_tokenizers,
    convert,
    convert_network,
    convert_vae,
    make_state,
    rename_attention,
    strip,
)
from bot.engine.models.families import Family
from bot.engine.models.files import BrokenFiles
from bot.engine.models.folders import CheckedFolder
from bot.engine.models.recognition import LABELS
from bot.engine.models.single_files import CheckedFile
from bot.engine.models.vaes import CheckedVae
from bot.engine.sampling.samplers import SamplerChoice, Samplers
from bot.errors import ConfigError, TriptychError

_TWO_TEXTS = ("a dog", "the cat")


def rehearse(
    checked: CheckedFolder | CheckedFile, config: Path, vae: CheckedVae | None = None
) -> Samplers:
    """Load everything except the weights, and check that the files have weights for every part.

    config: the folder with the config files. vae: replaces the model's own VAE. Raises ConfigError.
    """
    with library_faults(checked.model):
        # Import this first: inside the block "meta", its tensors would have no content.
        kind = checked.family.load_class()
        with torch.device("meta"):
            parts = build_parts(checked.family, config, vae)
        pipe = assemble(checked.family, config, parts)
        for name in checked.family.tokenizers:
            _check_tokenizer(getattr(pipe, name), config / name)
        kind.adjust(pipe, checked.traits)
        found = _list_tensors(checked, parts)
    for name in found.keys() & {*kind.compared_parts}:
        tensors = found[name]
        _compare(checked, name, parts[name], tensors)
    if vae is not None:
        with library_faults(vae.name):
            tensors = convert_vae(make_state(vae.tensors), parts["vae"])
        _compare(vae, "vae", parts["vae"], tensors)
    return Samplers(pipe.scheduler)


def choose_samplers(samplers: Samplers, model: str) -> SamplerChoice:
    """List the samplers offered for a model. Raises ConfigError if none works."""
    with library_faults(model):
        return samplers.choose()


def assemble(family: Family, config: Path, parts: dict[str, Any], **options: Any) -> Any:
    """Build a pipeline from these parts, and the others from a folder. It has no safety checker."""
    hide_progress_bars()
    kind = family.load_class()
    return kind.pipeline_class.from_pretrained(
        config,
        **parts,
        **build_tokenizers(config),
        **kind.without_checker,
        use_safetensors=True,
        local_files_only=True,
        **options,
    )


def hide_progress_bars() -> None:
    """Hide progress bars for work that takes milliseconds. Downloads still show one."""
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


@contextmanager
def library_faults(model: str) -> Iterator[None]:
    """Inside this block, turn errors of the libraries about a model into a ConfigError."""
    try:
        yield
    except (TriptychError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # some libraries raise a plain Exception
        raise _explain(model, error) from error


def _explain(model: str, error: Exception) -> ConfigError:
    reason = next((line for line in str(error).splitlines() if line.strip()), "")
    return ConfigError(
        f"{model} cannot be loaded by the libraries that are installed here: its files are damaged "
        "or were written by another version. Copy or download it again, or choose another model. "
        f"({type(error).__name__}: {reason})"
    )


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
    """List the tensors that the files hold for each part, under the part's own names."""
    if isinstance(checked, CheckedFile):
        return convert(make_state(checked.tensors), {name: parts[name] for name in checked.parts})
    found = {name: make_state(weights.tensors) for name, weights in checked.weights.items()}
    if checked.network is not None:
        name = checked.family.network
        found[name] = convert_network(found[name], parts[name])
    if "vae" in found:
        found["vae"] = {rename_attention(name): value for name, value in found["vae"].items()}
    return {
        name: strip(tensors) if not hasattr(parts[name], "text_model") else tensors
        for name, tensors in found.items()
        if name in parts
    }


def _compare(
    checked: CheckedFolder | CheckedFile | CheckedVae, name: str, part: Any, found: Tensors
) -> None:
    wanted = list_wanted(part)
    missing = [each for each in wanted if each not in found]
    other = [each for each in wanted if each in found and found[each].shape != wanted[each].shape]
    for faulty, fault in ((missing, "are not there"), (other, "have another shape")):
        if faulty:
            count = f"of the {len(wanted)} weights of its {name}, {len(faulty)} {fault}"
            raise _explain_difference(checked, f"{count} ({faulty[0]} is one)")


def list_wanted(part: Any) -> Tensors:
    """List the weights that a part must get."""
    return {each: value for each, value in part.state_dict().items() if "position_ids" not in each}


def _explain_difference(
    checked: CheckedFolder | CheckedFile | CheckedVae, count: str
) -> ConfigError:
    if isinstance(checked, CheckedVae):
        return ConfigError(
            f"The VAE {checked.name} does not fit the model: {count}. Choose another one."
        )
    if isinstance(checked, CheckedFile) and not checked.is_lent:
        return BrokenFiles(
            f"{checked.model} is no whole checkpoint of {LABELS[checked.kind]}: {count}. Copy or "
            "download it again. If it is a smaller or larger relative of that model, set "
            "MODEL_CONFIG to its diffusers folder."
        )
    return BrokenFiles(
        f"{checked.model} does not fit its config files: {count}. Copy or download the whole "
        "model again; for a single file, MODEL_CONFIG must be of the same kind of model."
    )
