"""Takes a model's weights off the device while other models draw, and puts them back."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from bot.engine.models.placement import is_offloaded

_MARGIN_BYTES = 2 * 2**30
"""Host memory that stays free for everything else."""


class Weights(Protocol):
    """The weights of one model. Captured graphs point at them, so free these graphs first."""

    num_bytes: int

    def rest(self) -> None:
        """Free the device's memory. The model cannot run until ``wake``."""
        ...

    def wake(self) -> None:
        """Put the weights on the device. Raises torch's errors, and those of loading a model."""
        ...


def list_tensors(pipe: Any) -> list[torch.Tensor]:
    """List the parameters and buffers of a pipeline's parts, each once, in a fixed order.

    Parts that are offloaded are left out, because their weights wait in host memory anyway. For a
    tensor that torchao has quantised, the tensors in it are listed, because only they have memory.
    """

    def walk() -> Iterator[torch.Tensor]:
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module) and not is_offloaded(part):
                for tensor in (*part.parameters(), *part.buffers()):
                    yield from _unwrap(tensor)

    return list({id(tensor): tensor for tensor in walk()}.values())


def _unwrap(tensor: Any) -> Iterator[torch.Tensor]:
    if not is_traceable_wrapper_subclass(tensor):
        yield tensor
        return
    names, _ = tensor.__tensor_flatten__()
    for name in names:
        yield from _unwrap(getattr(tensor, name))


def count_bytes(tensors: list[torch.Tensor]) -> int:
    """Return how many bytes of memory these tensors take."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def make_weights(
    pipe: Any, load: Callable[[], Any], *, shares_memory: bool = False, free_bytes: int | None
) -> Weights:
    """Choose where the weights rest: in host memory if there is room, otherwise only on the disk.

    load: loads the same model again and returns its pipeline on the device. shares_memory: the
    device uses the host's memory, so a copy there would free nothing. free_bytes: the host memory
    that is free; None if it is not known.
    """
    tensors = list_tensors(pipe)
    has_room = free_bytes is not None and free_bytes - count_bytes(tensors) >= _MARGIN_BYTES
    return DiskWeights(tensors, load) if shares_memory or not has_room else HostWeights(tensors)


class HostWeights:
    """Keeps a copy in host memory; for CUDA it is page-locked, from which copying is fastest."""

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        self.num_bytes = count_bytes(tensors)
        self._tensors = tensors
        self._device = tensors[0].device
        self._copies = [_copy_to_host(tensor.data) for tensor in tensors]

    def rest(self) -> None:
        """Free the device's memory."""
        _drop(self._tensors, self._device)

    def wake(self) -> None:
        """Copy the weights to the device."""
        for tensor, copy in zip(self._tensors, self._copies, strict=True):
            tensor.data = copy.to(self._device, non_blocking=True)


class DiskWeights:
    """Keeps no copy: the model is loaded from its files again."""

    def __init__(self, tensors: list[torch.Tensor], load: Callable[[], Any]) -> None:
        self.num_bytes = count_bytes(tensors)
        self._tensors = tensors
        self._device = tensors[0].device
        self._load = load

    def rest(self) -> None:
        """Free the device's memory."""
        _drop(self._tensors, self._device)

    def wake(self) -> None:
        """Load the model again, and take over its weights."""
        for tensor, fresh in zip(self._tensors, list_tensors(self._load()), strict=True):
            tensor.data = fresh.data


def _copy_to_host(tensor: torch.Tensor) -> torch.Tensor:
    copy = tensor.to("cpu", copy=True)
    if tensor.device.type != "cuda":
        return copy
    try:
        return copy.pin_memory()
    except RuntimeError:  # the system allows no more page-locked memory
        return copy


def _drop(tensors: list[torch.Tensor], device: torch.device) -> None:
    for tensor in tensors:
        tensor.data = torch.empty(0, dtype=tensor.dtype, device=device)
    gc.collect()
