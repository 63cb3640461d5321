"""Describes the device that torch finds on this machine. Importing this module imports torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """memory: in bytes. Without a CUDA GPU it is None, and name is "CPU"."""

    torch_version: str
    cuda_available: bool
    name: str
    total_memory: int | None
    free_memory: int | None


def name_engine(device: str) -> str:
    """Make an id for the engine on this device ("cpu" or "cuda"). Every card has its own."""
    if device == "cpu":
        return "CPU"
    card = torch.cuda.get_device_properties()
    return f"{card.name} {card.uuid}"


def describe_device() -> DeviceReport:
    """Describe the device that ``device="auto"`` means."""
    if not torch.cuda.is_available():
        return DeviceReport(torch.__version__, False, "CPU", None, None)
    free, total = torch.cuda.mem_get_info()
    return DeviceReport(torch.__version__, True, torch.cuda.get_device_name(), total, free)
