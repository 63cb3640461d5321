"""What can be said about a model from its small files, without torch and within milliseconds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bot.engine.api import ModelSource
from bot.errors import ConfigError

_PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
_WEIGHT_FOLDERS = ("unet", "vae", "text_encoder")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_MAX_HEADER_BYTES = 100_000_000
"""The safetensors format's own limit."""


class BrokenFiles(ConfigError):
    """Files of the model are missing, cut short or unreadable: they must be copied again."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """A model's name, steps and guidance scale when a member asks for nothing else."""

    name: str
    num_inference_steps: int = 50
    guidance_scale: float = 7.5


def check_model(source: ModelSource) -> list[str]:
    """Check a model's files without loading them; returns what was found, one line each.

    A Hugging Face id is only looked up in the local cache. Raises ConfigError.
    """
    kind = find_kind(source.model)
    if kind == "folder":
        size = check_folder(Path(source.model), source.model)
        return [f"{source.model}: a diffusers folder with {size / 1e6:.1f} MB of weights"]
    if kind == "file":
        size = check_single_file(source)
        config = source.model_config or "the Hugging Face Hub"
        return [f"{source.model}: {size / 1e6:.1f} MB, small config files from {config}"]
    if (cached := _find_cached(source.model)) is None:
        return [f"{source.model} is not on this machine yet; it is downloaded at the first start"]
    check_index(cached, source.model)
    return [f"{source.model} is in the local cache"]


def find_kind(model: str) -> Literal["folder", "file", "hub"]:
    """Tell what MODEL names. Raises ConfigError for pickle files and paths that are not there."""
    path = Path(model)
    if path.suffix.lower() in _PICKLE_SUFFIXES:
        raise ConfigError(_refuse_pickle(model))
    if path.is_dir():
        return "folder"
    if path.suffix.lower() == ".safetensors":
        if path.is_file():
            return "file"
    elif path.exists():
        raise ConfigError(
            f"MODEL names the file {model}, which is no model: give a diffusers folder, "
            "a .safetensors file or a Hugging Face id such as CompVis/stable-diffusion-v1-4."
        )
    elif _HUB_ID.fullmatch(model):
        return "hub"
    raise ConfigError(
        f"MODEL names {model}, which does not exist: correct the path, or give a Hugging Face id "
        "such as CompVis/stable-diffusion-v1-4."
    )


def check_folder(folder: Path, model: str) -> int:
    """Check the diffusers folder of ``model``; returns its weights' size in bytes.

    Raises ConfigError.
    """
    check_config_folder(folder, model)
    return sum(_check_weights(folder / name) for name in _WEIGHT_FOLDERS)


def check_config_folder(folder: Path, model: str) -> None:
    """Check what a diffusers folder says about itself, weights aside. Raises ConfigError."""
    check_index(folder / "model_index.json", model)
    unet = _read_json(folder / "unet" / "config.json")
    vae = _read_json(folder / "vae" / "config.json")
    channels = unet.get("in_channels", 4)
    if unet.get("addition_embed_type") == "text_time" or unet.get("time_cond_proj_dim"):
        raise ConfigError(_refuse_family(model, "its UNet asks for more than a prompt"))
    if channels != unet.get("out_channels", 4) or channels != vae.get("latent_channels", 4):
        raise ConfigError(
            _refuse_family(model, f"its UNet takes {channels} channels, as for inpainting")
        )


def check_index(index: Path, model: str) -> None:
    """Check the pipeline class in the model_index.json of ``model``. Raises ConfigError."""
    if not index.is_file():
        raise BrokenFiles(
            f"{model} has no model_index.json: MODEL must name a whole diffusers folder "
            "(with unet/, vae/, text_encoder/, tokenizer/ and scheduler/ in it)."
        )
    name = _read_json(index).get("_class_name")
    if name != "StableDiffusionPipeline":
        raise ConfigError(_refuse_family(model, f"its pipeline is {name}"))


def check_single_file(source: ModelSource) -> int:
    """Check a .safetensors checkpoint and MODEL_CONFIG; returns the file's size in bytes.

    Raises ConfigError.
    """
    path = Path(source.model)
    header, size = _read_header(path)
    if any(key.startswith("conditioner.embedders.") for key in header):
        raise ConfigError(_refuse_family(str(path), "it is a Stable Diffusion XL checkpoint"))
    first = header.get("model.diffusion_model.input_blocks.0.0.weight")
    last = header.get("model.diffusion_model.out.2.weight")
    if first is None or last is None:
        raise ConfigError(
            _refuse_family(str(path), "it has no Stable Diffusion UNet inside (a LoRA or a part?)")
        )
    channels = first["shape"][1]
    if channels != last["shape"][0]:
        raise ConfigError(
            _refuse_family(str(path), f"its UNet takes {channels} channels, as for inpainting")
        )
    if source.model_config is not None:
        if not Path(source.model_config).is_dir():
            raise ConfigError(
                f"MODEL_CONFIG names {source.model_config}, which is no folder: give a diffusers "
                "folder with the small config files of this kind of model, or leave it unset."
            )
        check_config_folder(Path(source.model_config), source.model_config)
    return size


def read_defaults(folder: Path | None, model: str) -> Defaults:
    """Read ``triptych.json`` from a model folder; without one, the pipeline's own defaults.

    Raises ConfigError.
    """
    name = Path(model).stem if model.endswith(".safetensors") else Path(model).name
    path = None if folder is None else folder / "triptych.json"
    if path is None or not path.is_file():
        return Defaults(name)
    content = _read_json(path)
    try:
        return Defaults(
            str(content["name"]),
            int(content["num_inference_steps"]),
            float(content["guidance_scale"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f'{path} must read {{"name": text, "num_inference_steps": number, '
            f'"guidance_scale": number}}; {error!r} stands in the way.'
        ) from error


def _check_weights(folder: Path) -> int:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = [p for p in sorted(folder.glob("*")) if p.suffix in _PICKLE_SUFFIXES]
        if pickles:
            raise ConfigError(_refuse_pickle(str(pickles[0])))
        raise BrokenFiles(
            f"{folder} holds no .safetensors weights: copy or download the whole model folder "
            "(with git, the large files need git lfs)."
        )
    return sum(_read_header(path)[1] for path in files)


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a safetensors file's header and size; raises ConfigError if it is cut short.

    Format: https://huggingface.co/docs/safetensors — 8 bytes of length, JSON, tensors.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(size, _MAX_HEADER_BYTES):
                raise ValueError("the header is longer than the file")
            header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        end = 8 + length + max(tensor["data_offsets"][1] for tensor in header.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenFiles(
            f"{path} is broken (its header cannot be read): copy or download it again."
        ) from error
    if size != end:
        raise BrokenFiles(
            f"{path} is incomplete ({size} of {end} bytes): copy or download it again."
        )
    return header, size


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BrokenFiles(
            f"{path} cannot be read ({type(error).__name__}): copy or download the whole model "
            "folder again."
        ) from error
    if not isinstance(content, dict):
        raise BrokenFiles(f"{path} is no JSON object: copy or download the model folder again.")
    return content


def _find_cached(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 only ids need it

    found = try_to_load_from_cache(model, "model_index.json")
    return Path(found) if isinstance(found, str) else None


def _refuse_pickle(path: str) -> str:
    return (
        f"{path} is a pickle file; pickle files can run code, so Triptych does not open them: "
        "convert it to .safetensors or choose a model that has such files."
    )


def _refuse_family(model: str, reason: str) -> str:
    return (
        f"{model} is not a text-to-image model of Stable Diffusion 1.x or 2.x ({reason}): choose "
        "one that is, such as CompVis/stable-diffusion-v1-4."
    )
