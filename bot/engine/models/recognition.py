"""Tells what kind of model a single .safetensors file is, by the names and shapes in its header."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from bot.engine.models.defaults import PREDICTION_TYPES, Traits
from bot.engine.models.families import FAMILIES, Family, refuse_family
from bot.engine.models.files import Weights, read_tensor
from bot.errors import ConfigError

Kind = Literal["sd1", "sd2", "sdxl"]

LABELS: dict[Kind, str] = {
    "sd1": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "sdxl": "Stable Diffusion XL",
}

UNET = "model.diffusion_model."
_FIRST, _LAST = f"{UNET}input_blocks.0.0.weight", f"{UNET}out.2.weight"
_V2_KEY = f"{UNET}input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"
_V2_WIDTH = 1024
_XL_TEXT, _REFINER_TEXT = "conditioner.embedders.1.model.", "conditioner.embedders.0.model."
_XL_KEY = f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
_XL_WIDTH, _REFINER_WIDTH, _REFINER_CHANNELS = 2048, 1280, 384
_LABELS_KEY = f"{UNET}label_emb."

_CHANNELS = {5: "depth", 7: "enlarging", 8: "editing by instructions", 9: "inpainting"}
"""The purpose of a UNet, by its number of input channels, if that is not the usual one."""

_OTHER_SCHEDULES = {
    "edm_mean": "it is a Playground 2.5 checkpoint",
    "edm_vpred.sigma_max": "it is a checkpoint of the EDM kind, like CosXL",
}

_OTHERS: tuple[tuple[str, str], ...] = (
    ("lora_", "it is a LoRA"),
    (".lora", "it is a LoRA"),
    ("hada_w1", "it is a LoRA of the LoHa kind"),
    ("lokr_w", "it is a LoRA of the LoKr kind"),
    ("emb_params", "it is a textual inversion"),
    ("control_model.", "it is a ControlNet"),
    ("controlnet_", "it is a ControlNet"),
    ("ip_adapter.", "it is an IP-Adapter"),
    ("image_proj.", "it is an IP-Adapter"),
    ("motion_modules.", "it is a motion module of AnimateDiff"),
    ("single_stream_modulation.lin.", "it is a FLUX.2 checkpoint"),
    ("individual_token_refiner.", "it is a HunyuanVideo checkpoint"),
    ("single_transformer_blocks.0.", "it is a FLUX.1 checkpoint"),
    ("txt_norm.weight", "it is a Qwen-Image checkpoint"),
    ("noise_refiner.0.attention.qkv.", "it is a Z-Image or Lumina checkpoint"),
    ("layers.0.adaLN_modulation.", "it is a Z-Image or Lumina checkpoint"),
    ("cap_embedder.", "it is a Lumina checkpoint"),
    ("double_layers.0.attn.", "it is an AuraFlow checkpoint"),
    ("double_stream_blocks.0.", "it is a HiDream checkpoint"),
    ("cross_attn.kv_linear.", "it is a PixArt or Sana checkpoint"),
    ("head.modulation", "it is a Wan checkpoint"),
    ("patchify_proj.", "it is an LTX-Video checkpoint"),
    ("clip_txt_mapper.", "it is a Stable Cascade checkpoint"),
    ("channelwise.0.weight", "it is a Stable Cascade checkpoint"),
)
"""Parts of weights' names, each with the only kind of file that has it; the surest come first."""

_UNET_ALONE = ("input_blocks.0.0.weight", "down_blocks.0.resnets.0.conv1.weight")
_VAE_ALONE = ("encoder.conv_in.weight", "decoder.conv_in.weight")
_TEXT_ALONE = ("token_embedding.weight",)

_GUESS_KEY = f"{UNET}output_blocks.11.1.transformer_blocks.0.norm1.bias"
_GUESS_SPREAD = 0.09
"""If the weights spread more than this, a 2.x model predicts v. This rule is ComfyUI's. It works,
but has no theory behind it.

https://github.com/comfyanonymous/ComfyUI/blob/master/comfy/supported_models.py
"""


def find_family_of(kind: Kind) -> Family:
    """Return the family that a kind of checkpoint belongs to."""
    return next(family for family in FAMILIES.values() if kind in family.kinds)


def recognise(tensors: dict[str, Any], model: str) -> Kind:
    """Recognise the kind of a checkpoint. For other files, raises ConfigError with their kind."""
    first, last = (tensors.get(key, {}).get("shape", []) for key in (_FIRST, _LAST))
    if len(first) != 4 or len(last) != 4:
        raise ConfigError(refuse_family(model, _name_other(tensors)))
    kind = _find_kind(tensors)
    reason = _find_obstacle(tensors, kind, first, last)
    if reason:
        raise ConfigError(refuse_family(model, reason))
    return kind


def find_traits(kind: Kind, weights: Weights, path: Path) -> tuple[Traits, str]:
    """Find out what the UNet predicts and its native size. Also return how this was found.

    Markers among the weights count first, then the metadata in the file
    (https://github.com/Stability-AI/ModelSpec). For a 2.x model without metadata, the values of the
    weights are the last hint.
    """
    prediction, source = _find_prediction(kind, weights, path)
    size = None
    if kind == "sd2":
        side = 768 if prediction == "v_prediction" else 512
        said = weights.metadata.get("modelspec.resolution", "")
        size = {"512x512": (512, 512), "768x768": (768, 768)}.get(said.lower(), (side, side))
    return Traits(prediction, "ztsnr" in weights.tensors, size), source


def _find_prediction(kind: Kind, weights: Weights, path: Path) -> tuple[str | None, str]:
    if "v_pred" in weights.tensors:
        return "v_prediction", "it has the mark v_pred"
    for key in ("modelspec.prediction_type", "modelspec.predict_key"):
        said = PREDICTION_TYPES.get(weights.metadata.get(key, "").lower())
        if said:
            return said, "the file says so"
    if kind != "sd2":
        return None, ""
    architecture = weights.metadata.get("modelspec.architecture", "").lower()
    for name, prediction in (("v2-768-v", "v_prediction"), ("v2-512", "epsilon")):
        if name in architecture:
            return prediction, "the file says so"
    tensor = weights.tensors.get(_GUESS_KEY)
    values = None if tensor is None else read_tensor(path, tensor)
    if values is None or not values.size:
        return "epsilon", "assumed"
    is_wide = float(values.std()) > _GUESS_SPREAD
    return ("v_prediction" if is_wide else "epsilon"), "guessed from its weights"


def _find_kind(tensors: dict[str, Any]) -> Kind:
    """Recognise the kind by the UNet's text input, or else by the text encoders in the file."""
    width = {key: tensors.get(key, {}).get("shape", [0])[-1:] for key in (_V2_KEY, _XL_KEY)}
    if _has(tensors, _XL_TEXT) or width[_XL_KEY] == [_XL_WIDTH]:
        return "sdxl"
    return "sd2" if width[_V2_KEY] == [_V2_WIDTH] else "sd1"


def _find_obstacle(
    tensors: dict[str, Any], kind: Kind, first: list[int], last: list[int]
) -> str | None:
    """Say why Triptych cannot use a checkpoint with this kind of UNet; None if it can."""
    reads = tensors.get(_XL_KEY, {}).get("shape", [0])[-1:]
    if first[0] == _REFINER_CHANNELS and (
        _has(tensors, _REFINER_TEXT) or reads == [_REFINER_WIDTH]
    ):
        return "it is the refiner of Stable Diffusion XL, which draws no picture alone"
    for mark, reason in _OTHER_SCHEDULES.items():
        if mark in tensors:
            return reason
    channels = first[1]
    if channels != last[0]:
        use = f", as for {_CHANNELS[channels]}" if channels in _CHANNELS else ""
        return f"its UNet takes {channels} channels{use}"
    if kind != "sdxl" and _has(tensors, _LABELS_KEY):
        return "its UNet asks for more than a prompt, as unCLIP does"
    return None


def _name_other(tensors: dict[str, Any]) -> str:
    for part, reason in _OTHERS:
        if any(part in name for name in tensors):
            return reason
    if any(name.endswith(_UNET_ALONE) for name in tensors):
        return "it is a UNet alone, without a text encoder and a VAE"
    has_vae, has_text = (
        any(name.endswith(ends) for name in tensors) for ends in (_VAE_ALONE, _TEXT_ALONE)
    )
    if has_vae and not has_text:
        return "it is a VAE alone; the setting VAE may name it"
    if has_text and not has_vae:
        return "it is a text encoder alone"
    return "it has no Stable Diffusion UNet inside (a LoRA or a part?)"


def _has(names: Iterable[str], start: str) -> bool:
    return any(name.startswith(start) for name in names)
