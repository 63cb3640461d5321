"""Checks a file that holds only the transformer of a flow model, by its header, without torch.

The rest of the model (text encoders, VAE, tokenizers, scheduler) comes from ``MODEL_CONFIG``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.engine.api import ModelSource
from bot.engine.models.families import FAMILIES, Family, refuse_family
from bot.engine.models.files import Weights, read_weights, refuse_quantised
from bot.engine.models.gguf_files import SUFFIX, read_gguf
from bot.engine.models.places import is_hub_id
from bot.errors import ConfigError

PREFIX = "model.diffusion_model."
"""How the transformer's names begin in a file that has other parts too."""

_MARKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("chroma", "Chroma", ("distilled_guidance_layer.",)),
    ("flux2", "FLUX.2", ("double_stream_modulation_img.",)),
    ("flux", "FLUX.1", ("double_blocks.0.img_attn.",)),
    ("flux", "FLUX.1", ("single_transformer_blocks.0.", "time_text_embed.")),
    ("sd3", "Stable Diffusion 3 or 3.5", ("joint_blocks.0.context_block.",)),
    ("sd3", "Stable Diffusion 3 or 3.5", ("time_text_embed.", "pos_embed.proj.")),
    ("qwen_image", "Qwen-Image", ("txt_norm.weight", "transformer_blocks.0.img_mod.")),
    ("z_image", "Z-Image", ("cap_pad_token", "noise_refiner.0.attention.")),
    ("sana", "Sana", ("attention_y_norm.", "mlp.inverted_conv.")),
    ("sana", "Sana", ("caption_norm.", "ff.conv_inverted.")),
)
"""A family's id and label, and parts of names that only its transformers have; surest first."""

_ADDED = ("lora", "lokr", "hada_w1", "controlnet", "control_model.", "ip_adapter")
"""Names in files that only change such a transformer."""

_TEXT_MARKS = ("token_embd.", "blk.0.", "enc.blk.0.")
_UNET_MARK = "input_blocks.0.0.weight"


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A transformer file that was checked alone. weights: only those of the transformer.

    prefix: how their names begin in the file; it is left out in ``weights``.
    """

    path: Path
    family: Family
    weights: Weights
    prefix: str

    @property
    def label(self) -> str:
        """Describe the file for the owner."""
        kinds = Counter[str]()
        for tensor in self.weights.tensors.values():
            kinds[tensor["dtype"]] += math.prod(tensor["shape"])
        [(dtype, _)] = kinds.most_common(1)
        return f"a transformer of {self.family.label} in {dtype}"

    @property
    def is_gguf(self) -> bool:
        """Return whether it is a GGUF file, whose weights stay quantised in memory."""
        return self.path.suffix.lower() == SUFFIX


def check_network_file(source: ModelSource) -> NetworkFile | None:
    """Check the file that MODEL names. None: it is no transformer alone, but a checkpoint.

    Raises ConfigError, also if the rest of the model is not named.
    """
    path = Path(source.model)
    is_gguf = path.suffix.lower() == SUFFIX
    weights = read_gguf(path) if is_gguf else read_weights(path)
    found = _recognise(weights.tensors)
    if found is None:
        if is_gguf:
            raise ConfigError(refuse_family(source.model, _name_gguf(weights)))
        return None
    family_id, label = found
    if family_id not in FAMILIES:
        raise ConfigError(refuse_family(source.model, f"it is a {label} transformer"))
    family = FAMILIES[family_id]
    prefix = PREFIX if any(name.startswith(PREFIX) for name in weights.tensors) else ""
    tensors = {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.tensors.items()
        if name.startswith(prefix)
    }
    if not is_gguf:
        refuse_quantised(path, tensors, tensors)
    if source.model_config is None:
        raise ConfigError(
            f"{source.model} holds only the transformer of a {label} model: set MODEL_CONFIG to "
            "the diffusers folder or the Hugging Face id of the same model, which has the text "
            f"encoders and the VAE, such as {family.example}."
        )
    _check_place(source.model_config)
    return NetworkFile(path, family, Weights(tensors, weights.size, weights.metadata), prefix)


def _recognise(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the id and the label of the family whose transformer has these weights."""
    text = "\n".join(names)
    if any(mark in text for mark in _ADDED):
        return None
    return next(
        ((family, label) for family, label, marks in _MARKS if all(mark in text for mark in marks)),
        None,
    )


def _name_gguf(weights: Weights) -> str:
    architecture = next(iter(weights.metadata.values()))
    if any(name.startswith(_TEXT_MARKS) for name in weights.tensors):
        return f"it is a text model of the kind {architecture or 'unknown'}"
    if any(name.endswith(_UNET_MARK) for name in weights.tensors):
        return "it is a UNet; GGUF files can only hold the transformer of a flow model"
    return f"it is a GGUF file of the kind {architecture or 'unknown'}"


def _check_place(config: str) -> None:
    if not Path(config).is_dir() and not is_hub_id(config):
        raise ConfigError(
            f"MODEL_CONFIG names {config}, which is neither a folder nor a Hugging Face id: "
            "give the diffusers folder or the id of the model that this transformer belongs to."
        )


def refuse_other_family(network: NetworkFile, family: Family, folder: Any) -> None:
    """Check that a transformer and the rest of its model are of one family. Raises ConfigError."""
    if network.family.id not in {family.id, family.network_of}:
        raise ConfigError(
            f"{network.path} is a transformer of {network.family.label}, but MODEL_CONFIG "
            f"({folder}) names a model of {family.label}: name the model that the transformer "
            f"belongs to, such as {network.family.example}."
        )
