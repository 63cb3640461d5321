"""Puts the parts of a pipeline on their device, or lets their weights wait in host memory.

Offloaded weights are on the device only while their layer computes (diffusers' group offloading).
On CUDA and XPU the next layer's weights are copied while the present one computes.
"""

from __future__ import annotations

import gc
from typing import Any

import torch
from diffusers.hooks.group_offloading import (
    _get_top_level_group_offload_hook,
    apply_group_offloading,
)

from bot.engine.hardware import CPU, Hardware, read_host_memory
from bot.engine.models.family import ModelFamily

_PIN_SHARE = 0.5
"""Weights are kept in page-locked memory only if they take at most this share of what is free."""


def place(family: ModelFamily, hardware: Hardware, offload: str) -> None:
    """Put a pipeline's parts on the device, and offload what ``offload`` says.

    offload: "none", "encoders" (the text encoders) or "model" (the network too). The CPU offloads
    nothing. Raises torch.OutOfMemoryError.
    """
    device = torch.device(hardware.type)
    for name, part in family.pipe.components.items():
        if not isinstance(part, torch.nn.Module):
            continue
        is_network = part is family.network
        if hardware is CPU or not (
            (offload == "model" and is_network)
            or (offload != "none" and name.startswith("text_encoder"))
        ):
            part.to(device)
        else:
            _offload(part, hardware, device, "block_level" if is_network else "leaf_level")
    gc.collect()


def is_offloaded(part: torch.nn.Module) -> bool:
    """Return whether a part's weights come to the device only while they are needed."""
    return _get_top_level_group_offload_hook(part) is not None


def _offload(part: Any, hardware: Hardware, device: torch.device, kind: str) -> None:
    has_streams = hardware.has_peaks and hardware.type != "cpu"
    num_bytes = sum(each.numel() * each.element_size() for each in part.parameters())
    free = read_host_memory()
    apply_group_offloading(
        part,
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type=kind,
        num_blocks_per_group=1,
        use_stream=has_streams,
        record_stream=has_streams,
        low_cpu_mem_usage=free is None or num_bytes > _PIN_SHARE * free,
    )
