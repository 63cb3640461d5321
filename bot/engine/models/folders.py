"""Checks a diffusers folder by its small files and headers, without torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.engine.models.defaults import Traits, read_defaults
from bot.engine.models.families import Family, find_family
from bot.engine.models.files import (
    PICKLE_SUFFIXES,
    BrokenFiles,
    MissingFiles,
    Weights,
    read_json,
    read_text,
    read_weights,
    refuse_pickle,
)
from bot.engine.models.network_files import NetworkFile, refuse_other_family
from bot.errors import ConfigError

_PIECES = ("spiece.model", "tokenizer.model")
"""The files of a tokenizer by SentencePiece, which has no other files of words."""

_OF_TRANSFORMERS = ("text_encoder", "safety_checker")


def name_weights(part: str) -> str:
    """Return the name of a part's file of weights, without .safetensors."""
    return "model" if part.startswith(_OF_TRANSFORMERS) else "diffusion_pytorch_model"


@dataclass(frozen=True, slots=True)
class CheckedFolder:
    """A diffusers folder that can be loaded. model: what the owner calls it.

    variant: the diffusers variant of the files to read. weights: the weights of each part that is
    loaded from here. traits: facts from the owner, which overrule the files. A safety checker that
    cannot be loaded is left out, and ``notes`` says so. network: the file that has the weights of
    the transformer; None if they are in the folder too.
    """

    path: Path
    model: str
    family: Family
    variant: str | None
    weights: dict[str, Weights]
    notes: tuple[str, ...] = ()
    traits: Traits = field(default_factory=Traits)
    network: NetworkFile | None = None

    @property
    def size(self) -> int:
        """Return the size of the model's weights in bytes."""
        return sum(weights.size for weights in self.weights.values())


def check_folder(
    folder: Path,
    model: str,
    *,
    half: bool = False,
    has_vae: bool = False,
    network: NetworkFile | None = None,
) -> CheckedFolder:
    """Check the diffusers folder of ``model`` in the precision in which it will be loaded.

    has_vae: whether another VAE replaces the model's own. network: a file with the transformer,
    which replaces the folder's. Raises ConfigError, also for files that would load only in the
    other precision.
    """
    family, index = check_config_folder(folder, model)
    replaced = {"vae"} if has_vae else set[str]()
    if network is not None:
        refuse_other_family(network, family, folder)
        replaced.add(family.network)
    parts = [part for part in family.parts if part not in replaced]
    notes: tuple[str, ...] = ()
    if _is_named(index, "safety_checker"):
        if has_weights(folder / "safety_checker", "safety_checker"):
            parts.append("safety_checker")
            read_json(folder / "feature_extractor" / "preprocessor_config.json")
        else:
            notes = (
                f"The safety checker of {model} was left out, as it has no .safetensors weights: "
                "Triptych's own picture check judges alone.",
            )
    for part in parts:
        if not has_weights(folder / part, part):
            raise explain_missing(folder / part, name_weights(part))
    variants = {each: _choose_variant(folder, parts, half=each) for each in (False, True)}
    checked = {
        variant: {part: read_part(folder / part, part, variant) for part in parts}
        for variant in set(variants.values())
    }
    weights = checked[variants[half]]
    if network is not None:
        weights = {family.network: network.weights, **weights}
    return CheckedFolder(
        path=folder,
        model=model,
        family=family,
        variant=variants[half],
        weights=weights,
        notes=notes,
        traits=read_defaults(None if network else folder, model).traits,
        network=network,
    )


def check_config_folder(folder: Path, model: str) -> tuple[Family, dict[str, Any]]:
    """Check everything in a diffusers folder except the weights.

    Returns the model's family and the content of model_index.json. Raises ConfigError.
    """
    family, index = check_index(folder / "model_index.json", model)
    network, vae = (read_json(folder / part / "config.json") for part in (family.network, "vae"))
    family.check(network, vae, model)
    for tokenizer, encoder in family.tokenizers.items():
        text = read_json(folder / encoder / "config.json")
        _check_tokenizer(folder / tokenizer, text.get("vocab_size"))
    read_json(folder / "scheduler" / "scheduler_config.json")
    if family.processor:
        read_json(folder / family.processor / "preprocessor_config.json")
    return family, index


def check_index(path: Path, model: str) -> tuple[Family, dict[str, Any]]:
    """Check the pipeline in the model_index.json of ``model``.

    Returns the model's family and the file's content. Raises ConfigError.
    """
    if not path.exists() and not path.is_symlink():
        files = sorted(file.name for file in path.parent.glob("*.safetensors"))
        single = f", or one of the files in it, such as {path.parent / files[0]}" if files else ""
        raise MissingFiles(
            f"{model} has no model_index.json: a model must be a whole diffusers folder "
            f"(with unet/ or transformer/, vae/, text_encoder/, tokenizer/ and scheduler/){single}."
        )
    index = read_json(path)
    family = find_family(index, model)
    for part in (*family.parts, *family.tokenizers, "scheduler"):
        if not _is_named(index, part):
            raise BrokenFiles(
                f"The model_index.json of {model} names no {part}, without which nothing can be "
                "drawn: copy or download the whole model folder again."
            )
    return family, index


def has_weights(place: Path, part: str) -> bool:
    """Return whether the folder of one part has weights that diffusers would read."""
    return any(_has(place, part, variant) for variant in (None, "fp16"))


def find_variant(place: Path, part: str) -> str | None:
    """Choose the variant for a part that is loaded alone: None if it has plain files, else fp16."""
    return None if _has(place, part, None) else "fp16"


def _is_named(index: dict[str, Any], part: str) -> bool:
    entry = index.get(part)
    return isinstance(entry, list) and len(entry) == 2 and None not in entry


def _check_tokenizer(folder: Path, vocab_size: object) -> None:
    """Refuse missing or empty tokenizer files, which transformers would load without a fault."""
    whole = folder / "tokenizer.json"
    pieces = next((path for path in map(folder.joinpath, _PIECES) if path.exists()), None)
    if whole.exists() or whole.is_symlink():
        named, model = whole, read_json(whole).get("model") or {}
        words, merges = model.get("vocab"), model.get("merges")
        if model.get("type") == "Unigram":  # it has no merges
            merges = words
    elif pieces is not None and pieces.stat().st_size:
        return  # transformers reads it; no other program should
    else:
        named = folder / "vocab.json"
        words = read_json(named)
        lines = read_text(folder / "merges.txt").splitlines()
        merges = [line for line in lines if line.strip() and not line.startswith("#version")]
    if not words or not merges:
        raise BrokenFiles(
            f"The tokenizer in {folder} is empty, so every prompt would draw the same picture: "
            "copy or download the whole model folder again."
        )
    if isinstance(vocab_size, int) and len(words) < vocab_size / 2:
        raise BrokenFiles(
            f"The tokenizer in {named} knows {len(words)} of the {vocab_size} words of the text "
            "encoder, so most prompts would be misread: copy or download the whole model again."
        )


def _choose_variant(folder: Path, parts: list[str], *, half: bool) -> str | None:
    """Choose fp16 if it was asked for and exists, or if a part exists only in fp16."""
    is_offered = half and _has(folder / parts[0], parts[0], "fp16")
    is_needed = any(not _has(folder / part, part, None) for part in parts)
    return "fp16" if is_offered or is_needed else None


def _has(place: Path, part: str, variant: str | None) -> bool:
    return any(
        path.exists() or path.is_symlink() for path in _list_candidates(place, part, variant)
    )


def _list_candidates(place: Path, part: str, variant: str | None) -> tuple[Path, Path]:
    """List the two places where weights may be: an index of several files, or a single file."""
    name = name_weights(part)
    if variant is None:
        return place / f"{name}.safetensors.index.json", place / f"{name}.safetensors"
    return (
        place / f"{name}.safetensors.index.{variant}.json",
        place / f"{name}.{variant}.safetensors",
    )


def read_part(place: Path, part: str, variant: str | None) -> Weights:
    """Read a part's headers. As in diffusers, use the plain files if the variant has none."""
    index, single = _list_candidates(place, part, variant if _has(place, part, variant) else None)
    if not index.exists():
        return read_weights(single)
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise BrokenFiles(f"{index} lists no files: copy or download the model folder again.")
    shards = [read_weights(index.parent / str(name)) for name in sorted(set(names.values()))]
    tensors = {name: tensor for shard in shards for name, tensor in shard.tensors.items()}
    return Weights(tensors, sum(shard.size for shard in shards))


def explain_missing(folder: Path, name: str) -> ConfigError:
    """Say which weights a folder has instead of those that diffusers reads."""
    files = [path.name for path in sorted(folder.glob("*"))]
    pickles = [file for file in files if Path(file).suffix.lower() in PICKLE_SUFFIXES]
    others = [file for file in files if file.endswith(".safetensors")]
    if others:
        return MissingFiles(
            f"{folder} has no {name}.safetensors, which is what diffusers reads; it has "
            f"{', '.join(others)}: copy or download the whole model folder, or rename the file."
        )
    if pickles:
        return ConfigError(refuse_pickle(str(folder / pickles[0])))
    return MissingFiles(
        f"{folder} holds no .safetensors weights: copy or download the whole model folder "
        "(with git, the large files need git lfs)."
    )
