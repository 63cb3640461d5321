"""Writes GGUF files of tiny transformers, and gives their weights the names of SD3's authors."""

from __future__ import annotations

from pathlib import Path

import gguf
import torch
from safetensors.torch import load_file


def read_transformer(folder: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a diffusers folder's transformer."""
    files = (folder / "transformer").glob("*.safetensors")
    return {name: each for file in files for name, each in load_file(file).items()}


def write_gguf(
    path: Path, tensors: dict[str, torch.Tensor], kind: str, architecture: str = "sd3"
) -> Path:
    """Write weights as a GGUF file. Only matrices are quantised, as is usual, or all as BF16."""
    wish, plain = gguf.GGMLQuantizationType[kind], gguf.GGMLQuantizationType.F32
    block, _ = gguf.GGML_QUANT_SIZES[wish]
    writer = gguf.GGUFWriter(path, architecture)
    for name, tensor in tensors.items():
        fits = kind == "BF16" or (tensor.ndim == 2 and tensor.shape[-1] % block == 0)
        chosen = wish if fits else plain
        data = gguf.quants.quantize(tensor.float().numpy(), chosen)
        writer.add_tensor(name, data, raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def name_as_published(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give the weights of an SD3 transformer the names in the files of its authors."""
    names = {
        "pos_embed.pos_embed": "pos_embed",
        "pos_embed.proj.": "x_embedder.proj.",
        "time_text_embed.timestep_embedder.linear_1.": "t_embedder.mlp.0.",
        "time_text_embed.timestep_embedder.linear_2.": "t_embedder.mlp.2.",
        "time_text_embed.text_embedder.linear_1.": "y_embedder.mlp.0.",
        "time_text_embed.text_embedder.linear_2.": "y_embedder.mlp.2.",
        "proj_out.": "final_layer.linear.",
        "norm_out.linear.": "final_layer.adaLN_modulation.1.",
        "transformer_blocks.": "joint_blocks.",
        ".attn.norm_q.": ".x_block.attn.ln_q.",
        ".attn.norm_k.": ".x_block.attn.ln_k.",
        ".attn2.norm_q.": ".x_block.attn2.ln_q.",
        ".attn2.norm_k.": ".x_block.attn2.ln_k.",
        ".attn.norm_added_q.": ".context_block.attn.ln_q.",
        ".attn.norm_added_k.": ".context_block.attn.ln_k.",
        ".attn.to_out.0.": ".x_block.attn.proj.",
        ".attn2.to_out.0.": ".x_block.attn2.proj.",
        ".attn.to_add_out.": ".context_block.attn.proj.",
        ".ff.net.0.proj.": ".x_block.mlp.fc1.",
        ".ff.net.2.": ".x_block.mlp.fc2.",
        ".ff_context.net.0.proj.": ".context_block.mlp.fc1.",
        ".ff_context.net.2.": ".context_block.mlp.fc2.",
        ".norm1.linear.": ".x_block.adaLN_modulation.1.",
        ".norm1_context.linear.": ".context_block.adaLN_modulation.1.",
    }
    fused = {
        ".attn.{}.": ("to_q", "to_k", "to_v", ".x_block.attn.qkv."),
        ".attn2.{}.": ("to_q", "to_k", "to_v", ".x_block.attn2.qkv."),
        ".attn.{}. ": ("add_q_proj", "add_k_proj", "add_v_proj", ".context_block.attn.qkv."),
    }
    found = dict(tensors)
    for place, (*parts, new) in fused.items():
        first, *others = [place.strip().format(part) for part in parts]
        for name in [each for each in found if first in each]:
            rest = [found.pop(name.replace(first, other)) for other in others]
            found[name.replace(first, new)] = torch.cat([found.pop(name), *rest])
    for old, new in names.items():
        found = {name.replace(old, new): each for name, each in found.items()}
    last = max(int(name.split(".")[1]) for name in found if name.startswith("joint_blocks."))
    end = f"joint_blocks.{last}.context_block.adaLN_modulation"
    swapped = ("final_layer.adaLN_modulation", end)  # scale and shift are the other way round
    return {
        name: torch.cat(each.chunk(2)[::-1]) if name.startswith(swapped) else each
        for name, each in found.items()
    }
