"""Describes what each kind of device can do, and finds this machine's devices. Imports torch.

Random numbers are always drawn on the CPU (``init_latents``), so every device starts from the same
noise. The code for CUDA, ROCm, XPU and MPS follows torch's documentation and has not been run yet.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bot.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Hardware:
    """One kind of device.

    id: the device's name in the DEVICE setting. type: its name in torch. label: its name for
    people. dtype: the number type in which models are loaded. has_graphs: whether steps are
    captured as graphs. has_peaks: whether torch reports the free memory, and the most memory that
    some work needed. If torch does not, memory cannot limit the number of rows. remedy: what to do
    if torch finds no such device.
    """

    id: str
    type: str
    label: str
    dtype: torch.dtype
    has_graphs: bool = False
    has_peaks: bool = False
    remedy: str = ""

    @property
    def module(self) -> Any:
        """Return the torch module for this kind of device, such as ``torch.cuda``."""
        return getattr(torch, self.type)

    def is_here(self) -> bool:
        """Return whether torch can use such a device. Under ROCm, torch calls devices "cuda"."""
        if self.type == "cuda":
            is_rocm = torch.version.hip is not None
            return torch.cuda.is_available() and is_rocm == (self.id == "rocm")
        return self.module.is_available()

    def read_memory(self) -> tuple[int, int] | None:
        """Return the free and the total bytes of memory; None if torch does not say."""
        if self.has_peaks:
            return self.module.mem_get_info()
        if self.id == "mps":  # the GPU shares its memory with the processor
            total = torch.mps.recommended_max_memory()
            return max(0, total - torch.mps.driver_allocated_memory()), total
        return None

    def describe(self) -> str:
        """Describe the device for the owner."""
        if self.id == "cpu":
            return f"{torch.get_num_threads()} threads"
        name = self.module.get_device_name() if self.has_peaks else self.label
        memory = self.read_memory()
        if memory is None:
            return name
        free, total = (each / 2**30 for each in memory)
        return f"{name}, {total:.0f} GiB of memory, {free:.1f} GiB free"


_CUDA_REMEDY = (
    "install the NVIDIA driver and a CUDA build of torch (https://pytorch.org/get-started/locally/)"
)
_ROCM_REMEDY = (
    "install AMD's driver and a ROCm build of torch (https://pytorch.org/get-started/locally/)"
)
_XPU_REMEDY = (
    "install Intel's driver and an XPU build of torch (https://pytorch.org/get-started/locally/)"
)
_MPS_REMEDY = "it needs a Mac with an Apple chip and macOS 14 or newer"

CPU = Hardware("cpu", "cpu", "CPU", torch.float32)
_ACCELERATORS = (
    Hardware(
        "cuda",
        "cuda",
        "NVIDIA GPU",
        torch.float16,
        has_graphs=True,
        has_peaks=True,
        remedy=_CUDA_REMEDY,
    ),
    Hardware("rocm", "cuda", "AMD GPU", torch.float16, has_peaks=True, remedy=_ROCM_REMEDY),
    Hardware("xpu", "xpu", "Intel GPU", torch.float16, has_peaks=True, remedy=_XPU_REMEDY),
    Hardware("mps", "mps", "Apple GPU", torch.float16, remedy=_MPS_REMEDY),
)


def find_hardware(wish: str) -> Hardware:
    """Find the device that a value of DEVICE names. Raises ConfigError.

    "auto" stands for the first device that torch can use on this machine.
    """
    if wish == "cpu":
        return CPU
    here = [each for each in _ACCELERATORS if each.is_here()]
    if wish == "auto":
        return here[0] if here else CPU
    for each in here:
        if wish in {each.id, each.type}:
            return each
    [wanted] = [each for each in _ACCELERATORS if each.id == wish]
    raise ConfigError(
        f"The device is set to {wish}, but torch finds no {wanted.label}: {wanted.remedy}, or set "
        "the device to auto or cpu."
    )


def count_cards(wish: str) -> int:
    """Count this machine's devices of the kind that a value of DEVICE names. Raises ConfigError."""
    hardware = find_hardware(wish)
    return hardware.module.device_count() if hardware.has_peaks else 1


def name_engine(hardware: Hardware) -> str:
    """Make an id for the engine on this device. Two cards in one machine get different ids."""
    if hardware.type != "cuda":
        return hardware.label
    card = torch.cuda.get_device_properties()
    return f"{card.name} {card.uuid}"


def read_host_memory(root: Path = Path("/")) -> int | None:
    """Return how many bytes of host memory are free for programs; None if that is not known.

    A container or a service may get less than the host has (Linux control groups, version 2:
    https://docs.kernel.org/admin-guide/cgroup-v2.html). root: where /proc and /sys are.
    """
    try:
        lines = (root / "proc/meminfo").read_text("ascii").splitlines()
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        groups = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return None
    [path] = [line.removeprefix("0::/") for line in groups if line.startswith("0::/")] or [""]
    group, top = root / "sys/fs/cgroup" / path, root / "sys/fs/cgroup"
    limits = [_read_room(each) for each in (group, *group.parents) if each.is_relative_to(top)]
    return min(found + [each for each in limits if each is not None], default=None)


def _read_room(group: Path) -> int | None:
    """Return how much more memory a control group may take; None if it has no limit.

    The kernel can take back what it uses to cache files.
    """
    try:
        most = int((group / "memory.max").read_text("ascii"))
        used = int((group / "memory.current").read_text("ascii"))
        stat = dict(
            line.split() for line in (group / "memory.stat").read_text("ascii").splitlines()
        )
    except (OSError, ValueError):  # there is no such file, or it says "max"
        return None
    cached = int(stat.get("active_file", 0)) + int(stat.get("inactive_file", 0))
    return max(most - used + cached, 0)


def main() -> None:
    """Print the id, the bytes of memory and the description of the device for the value of DEVICE
    in the arguments. 0 bytes: torch does not say. If there is no such device, print the reason.
    """
    try:
        hardware = find_hardware(sys.argv[1])
        _, total = hardware.read_memory() or (0, 0)
        sys.stdout.write(f"{hardware.id}|{total}|{hardware.describe()}\n")
    except ConfigError as error:
        sys.stdout.write(f"|0|{error}\n")


if __name__ == "__main__":
    main()
