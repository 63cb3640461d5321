"""Copies results from the device without making the engine thread wait."""

from __future__ import annotations

import torch


class Transfer:
    """Copies tensors to the host: on CUDA later, in the stream; on other devices at once."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        self._tensors = tensors if tensors[0].is_cuda else tuple(each.cpu() for each in tensors)
        if tensors[0].is_cuda:
            self._tensors = tuple(
                torch.empty_like(tensor, device="cpu", pin_memory=True).copy_(
                    tensor, non_blocking=True
                )
                for tensor in tensors
            )
            self._event = torch.cuda.Event()
            self._event.record()

    def is_ready(self) -> bool:
        """Return whether ``get`` would return at once."""
        return self._event is None or self._event.query()

    def get(self) -> tuple[torch.Tensor, ...]:
        """Wait for the tensors and return them on the CPU."""
        if self._event is not None:
            self._event.synchronize()
        return self._tensors
