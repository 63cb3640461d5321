"""Writes pipelines as single files, with the names of weights that the original code used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def write_single_file(pipe: Any, path: Path, *, open_clip: bool = False, **metadata: str) -> Path:
    """Write a pipeline in the original single-file layout of Stable Diffusion 1.x, or XL.

    open_clip: use the names of 2.x for the text encoder. metadata: for the file's header.
    """
    weights = name_weights(pipe, open_clip=open_clip)
    save_file({name: each.contiguous() for name, each in weights.items()}, path, metadata or None)
    return path


def write_header(weights: Mapping[str, Any], path: Path, **metadata: str) -> Path:
    """Write a file of float16 zeros. It is sparse, so it takes no room on the disk."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, tensor in weights.items():
        begin, end = end, end + 2 * tensor.numel()
        header[name] = {"dtype": "F16", "shape": [*tensor.shape], "data_offsets": [begin, end]}
    start = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(start).to_bytes(8, "little") + start)
        file.truncate(8 + len(start) + end)
    return path


def name_weights(pipe: Any, *, open_clip: bool = False) -> dict[str, torch.Tensor]:
    """Give a pipeline's weights the names of a checkpoint."""
    second = getattr(pipe, "text_encoder_2", None)
    first = pipe.text_encoder.state_dict()
    if open_clip:
        weights = {f"cond_stage_model.model.{k}": v for k, v in _to_open_clip(first).items()}
    else:
        home = "conditioner.embedders.0" if second else "cond_stage_model"
        weights = {f"{home}.transformer.text_model.{name}": each for name, each in first.items()}
    if second:
        for name, each in _to_open_clip(second.state_dict()).items():
            weights[f"conditioner.embedders.1.model.{name}"] = each
    for name, each in pipe.unet.state_dict().items():
        weights[f"model.diffusion_model.{rename_unet(name, pipe.unet.config)}"] = each
    for name, each in name_vae(pipe.vae).items():
        weights[f"first_stage_model.{name}"] = each
    return weights


def name_vae(vae: Any) -> dict[str, torch.Tensor]:
    """Give a VAE's weights the names of a VAE's own file."""
    weights = {}
    for name, each in vae.state_dict().items():
        renamed = _rename_vae(name, len(vae.config.block_out_channels))
        is_matrix = ".attn_1." in renamed and "norm" not in renamed and each.dim() == 2
        weights[renamed] = each[..., None, None] if is_matrix else each
    return weights


_OPEN_CLIP = {
    "text_projection.weight": "text_projection",
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding": "token_embedding",
    "encoder.layers": "transformer.resblocks",
    "final_layer_norm": "ln_final",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def _to_open_clip(encoder: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    weights = {
        _rename_open_clip(name.removeprefix("text_model.")): value.T
        if "projection" in name
        else value
        for name, value in encoder.items()
    }
    for name in [name for name in weights if ".self_attn.q_proj." in name]:
        three = [weights.pop(name.replace("q_proj", f"{each}_proj")) for each in "qkv"]
        weights[name.replace("self_attn.q_proj.", "attn.in_proj_")] = torch.cat(three)
    return weights


def _rename_open_clip(name: str) -> str:
    for new, old in _OPEN_CLIP.items():
        name = name.replace(new, old)
    return name


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def rename_unet(name: str, config: Any) -> str:
    """Return the original name of one weight of a UNet."""
    for new, old in _UNET_ENDS.items():
        if name.startswith(new):
            return name.replace(new, old)
    block, *rest = name.split(".")
    if block == "mid_block":
        kind, index, *tail = rest
        place = f"middle_block.{1 if kind == 'attentions' else 2 * int(index)}"
    else:
        level, kind, index, *tail = rest
        place = _find_unet_place(block, int(level), kind, int(index), config)
        if kind in {"downsamplers", "upsamplers"}:
            tail = ["op" if kind == "downsamplers" else "conv", *tail[1:]]
    if kind == "resnets":
        tail[0] = _RESNET[tail[0]]
    return ".".join([place, *tail])


def _find_unet_place(block: str, level: int, kind: str, index: int, config: Any) -> str:
    num_layers = config.layers_per_block
    if block == "down_blocks":
        number = 1 + (num_layers + 1) * level + (num_layers if kind == "downsamplers" else index)
        return f"input_blocks.{number}.{int(kind == 'attentions')}"
    number = (num_layers + 1) * level + (num_layers if kind == "upsamplers" else index)
    has_attention = config.up_block_types[level] != "UpBlock2D"
    slot = {"resnets": 0, "attentions": 1, "upsamplers": 2 if has_attention else 1}[kind]
    return f"output_blocks.{number}.{slot}"


def _rename_vae(name: str, num_levels: int) -> str:
    renames = {
        "conv_norm_out": "norm_out",
        "mid_block.resnets.0": "mid.block_1",
        "mid_block.resnets.1": "mid.block_2",
        "mid_block.attentions.0": "mid.attn_1",
        "group_norm": "norm",
        "to_q": "q",
        "to_k": "k",
        "to_v": "v",
        "to_out.0": "proj_out",
        "conv_shortcut": "nin_shortcut",
        "downsamplers.0": "downsample",
        "upsamplers.0": "upsample",
        ".resnets.": ".block.",
    }
    for level in range(num_levels):
        renames[f"down_blocks.{level}."] = f"down.{level}."
        renames[f"up_blocks.{level}."] = f"up.{num_levels - 1 - level}."
    for new, old in renames.items():
        name = name.replace(new, old)
    return name
