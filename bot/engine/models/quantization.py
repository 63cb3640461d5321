"""Chooses how the libraries quantise a model's weights while they load it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

import diffusers
import torch
import transformers
from diffusers.quantizers.pipe_quant_config import PipelineQuantizationConfig

from bot.engine.api import ModelSource
from bot.engine.hardware import Hardware
from bot.errors import ConfigError

_PACKAGES = {"int8": "torchao", "nf4": "bitsandbytes"}


def check_quantization(source: ModelSource, hardware: Hardware) -> None:
    """Check that the model can be quantised on this device. Raises ConfigError."""
    kind = source.quantization
    if kind == "nf4" and source.offload in {"encoders", "model"}:
        raise ConfigError(
            f"OFFLOAD={source.offload} does not go with QUANTIZATION=nf4: set one of them to none."
        )
    package = _PACKAGES.get(kind)
    if kind == "nf4" and hardware.id != "cuda":
        raise ConfigError(
            f"QUANTIZATION=nf4 needs an NVIDIA GPU, and the device is {hardware.id}: choose int8 "
            "or none, or a GGUF file for MODEL."
        )
    if package is not None and find_spec(package) is None:
        raise ConfigError(
            f"QUANTIZATION={kind} needs the package {package}: install it (pip install "
            f'"triptych-bot[{kind}]"), or set QUANTIZATION=none.'
        )


def make_configs(kind: str, parts: Iterable[str], dtype: torch.dtype) -> dict[str, Any]:
    """Make each part's quantisation config. parts: names of networks and text encoders.

    kind: "none", "int8" (torchao, weights only) or "nf4" (bitsandbytes, needs CUDA).
    """
    return {} if kind == "none" else {part: _make_config(kind, part, dtype) for part in parts}


def join_configs(configs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with which a pipeline loads its parts quantised."""
    if not configs:
        return {}
    return {"quantization_config": PipelineQuantizationConfig(quant_mapping=configs)}


def _make_config(kind: str, part: str, dtype: torch.dtype) -> Any:
    library: Any = transformers if part.startswith("text_encoder") else diffusers
    if kind == "int8":
        from torchao.quantization import Int8WeightOnlyConfig  # noqa: PLC0415 # type: ignore

        return library.TorchAoConfig(Int8WeightOnlyConfig())
    return library.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
    )
