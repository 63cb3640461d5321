"""Reads the weights of single files into parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.model_loading_utils import load_gguf_checkpoint
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter, dequantize_gguf_tensor
from diffusers.quantizers.quantization_config import GGUFQuantizationConfig
from safetensors import safe_open

from bot.engine.models.conversion import Tensors, build_parts, convert, convert_vae
from bot.engine.models.files import read_json
from bot.engine.models.network_files import NetworkFile
from bot.engine.models.rehearsal import list_wanted
from bot.engine.models.single_files import CheckedFile, rename_key
from bot.engine.models.vaes import CheckedVae, name_weight
from bot.errors import ConfigError


def read_parts(checked: CheckedFile, vae: CheckedVae | None, dtype: torch.dtype) -> dict[str, Any]:
    """Read the parts in a checked file, and the VAE that replaces the file's own.

    Raises ConfigError.
    """
    with init_empty_weights():
        built = build_parts(checked.family, checked.config)
    parts = {name: built[name] for name in checked.parts}
    tensors = _read(checked.path, checked.tensors, rename_key)
    for name, state in convert(tensors, parts).items():
        _fill(checked.model, parts[name], state, dtype)
    if vae is not None:
        parts["vae"] = read_vae(vae, checked.config, dtype)
    return parts


def read_network(
    network: NetworkFile, kind: Any, folder: Path, dtype: torch.dtype, config: Any = None
) -> Any:
    """Read a checked transformer file. Quantised weights stay so; the others get ``dtype``.

    kind: the transformer's class. folder: has its config. config: how to quantise the weights of a
    safetensors file; None means not at all. Raises ConfigError.
    """
    options: dict[str, Any] = {"dtype": dtype, "local_files_only": True}
    if config is not None:
        options["quantization_config"] = config
    if network.is_gguf:
        state = load_gguf_checkpoint(network.path)
        options["quantization_config"] = GGUFQuantizationConfig(compute_dtype=dtype)
        state = {name: state[network.prefix + name] for name in network.weights.tensors}
    else:
        state = _read(
            network.path, network.weights.tensors, lambda name: name.removeprefix(network.prefix)
        )
    part = kind.from_single_file(state, config=str(folder / "transformer"), **options)
    _dequantise_others(part, dtype)
    plain = {
        name: weight
        for name, weight in part.state_dict().items()
        if not isinstance(weight, GGUFParameter)
    }
    _check_numbers(str(network.path), plain)
    part.eval()
    return part


def _dequantise_others(part: Any, dtype: torch.dtype) -> None:
    """Dequantise the weights that are not in linear layers, because no other layer can use them."""
    for module in part.modules():
        for place in (module._parameters, module._buffers):
            for name, weight in place.items():
                is_used = isinstance(module, GGUFLinear) and name == "weight"
                if isinstance(weight, GGUFParameter) and not is_used:
                    plain = dequantize_gguf_tensor(weight).to(dtype)
                    is_parameter = place is module._parameters
                    place[name] = (
                        torch.nn.Parameter(plain, requires_grad=False) if is_parameter else plain
                    )


def read_vae(vae: CheckedVae, config: Path, dtype: torch.dtype) -> Any:
    """Read a checked VAE. config: the model's folder, which describes a single file."""
    if vae.config is not None:
        options = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
        part = AutoencoderKL.from_pretrained(vae.path, variant=vae.variant, **options)
        _check_numbers(vae.name, part.state_dict())
        return part
    with init_empty_weights():
        part = AutoencoderKL.from_config(read_json(config / "vae" / "config.json"))
    tensors = _read(vae.path, vae.tensors, name_weight)
    _fill(vae.name, part, convert_vae(tensors, part), dtype)
    return part


def _read(path: Path, wanted: Tensors, rename: Any) -> Tensors:
    """Read some of a file's weights. Their content stays on the disk until ``_fill`` copies it."""
    with safe_open(path, framework="pt") as file:
        names = {rename(name): name for name in file.keys()}  # noqa: SIM118 it is no dict
        return {name: file.get_tensor(names[name]) for name in wanted}


def _fill(model: str, part: Any, state: Tensors, dtype: torch.dtype) -> None:
    """Give a part its weights. They are copied, so that the file may be replaced later."""
    weights = {name: state[name].to(dtype, copy=True) for name in list_wanted(part)}
    _check_numbers(model, weights)
    part.load_state_dict(weights, assign=True)
    part.eval()


def _check_numbers(model: str, weights: Tensors) -> None:
    """Refuse infinity and NaN in weights, which would draw black pictures. Bad merges have them."""
    broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        dtype = str(weights[broken[0]].dtype).removeprefix("torch.")
        raise ConfigError(
            f"{model} has {len(broken)} weights with numbers in them that are none in {dtype} "
            f"({broken[0]} is one), so it would draw black pictures: copy or download it again. If "
            "it is a merge that went wrong, choose another."
        )
