"""Turns finished latents into uint8 pictures and judges them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.vae_precision import in_float32
from bot.engine.steps.transfers import Transfer
from bot.errors import GenerationFailed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PICTURES = 4
"""How many pictures are decoded at once. One takes as much memory as dozens of UNet rows."""

_NOT_A_NUMBER = (
    "The picture came out as not-a-number, in float32 too: a lower guidance scale or another "
    "sampler may help. Where every prompt ends so, the model's files are damaged: copy or download "
    "them again."
)


@dataclass(frozen=True, slots=True, eq=False)
class Decoding:
    """Pictures being decoded, in batches of n. Each transfer has the pictures, uint8 (n, H, W, 3),
    and whether all values of each are finite, bool (n,).
    """

    latents: torch.Tensor
    transfers: tuple[Transfer, ...]
    tiled: bool = False

    def is_ready(self) -> bool:
        """Return whether ``Decoder.finish`` can return at once."""
        return all(transfer.is_ready() for transfer in self.transfers)


class Decoder:
    """Decodes latents and judges the pictures. On CUDA it does so in a stream of its own."""

    def __init__(self, pipe: Any, codec: LatentCodec) -> None:
        self._pipe = pipe
        self._codec = codec
        self._vae = codec.vae
        self._stream = torch.cuda.Stream() if codec.vae.device.type == "cuda" else None

    def start(self, latents: torch.Tensor) -> Decoding:
        """Start to decode scaled latents (N, C, h, w) of the state's dtype."""
        return self._begin(latents, MAX_PICTURES)

    def decode_singly(self, latents: torch.Tensor, *, tiled: bool = False) -> Decoding:
        """Decode one picture or tile at a time, because more does not fit into memory."""
        return self._begin(latents, 1, tiled=tiled)

    def finish(self, decoding: Decoding) -> tuple[NDArray[np.uint8], tuple[bool | None, ...]]:
        """Return uint8 (N, H, W, 3) and the checker's verdicts. Raises GenerationFailed."""
        with self._in_stream():
            parts = [transfer.get() for transfer in decoding.transfers]
            finite = torch.cat([finite for _, finite in parts])
            images = torch.cat([images for images, _ in parts])
            if not finite.all() and self._vae.dtype == torch.float16:
                images = torch.cat([images for images, _ in self._decode_again(decoding)])
            elif not finite.all():
                raise GenerationFailed(_NOT_A_NUMBER)
            return images.numpy(), self._judge(images.numpy())

    def _begin(self, latents: torch.Tensor, num_pictures: int, *, tiled: bool = False) -> Decoding:
        if self._stream is not None:  # another stream may still be writing the latents
            self._stream.wait_stream(torch.cuda.current_stream())
            latents.record_stream(self._stream)
        with self._in_stream():
            batches = latents.split(num_pictures)
            return Decoding(latents, tuple(self._decode(b, tiled=tiled) for b in batches), tiled)

    def _decode(self, latents: torch.Tensor, *, tiled: bool = False) -> Transfer:
        with self._codec.tiled() if tiled else nullcontext():
            pictures = self._codec.decode(latents)
        return Transfer(to_uint8(pictures), pictures.flatten(1).isfinite().all(dim=1))

    def _decode_again(self, decoding: Decoding) -> list[tuple[torch.Tensor, ...]]:
        """Decode in float32. Raises GenerationFailed if a picture still has infinity or NaN."""
        with in_float32(self._vae):
            redone = self.decode_singly(decoding.latents, tiled=decoding.tiled)
            parts = [transfer.get() for transfer in redone.transfers]
        if not all(finite.all() for _, finite in parts):
            raise GenerationFailed(_NOT_A_NUMBER)
        return parts

    def _judge(self, images: NDArray[np.uint8]) -> tuple[bool | None, ...]:
        """Let the model's own checker judge each picture alone; None if the model has no checker.

        The checker paints flagged pictures black, so it gets a copy that is never delivered.
        """
        checker = getattr(self._pipe, "safety_checker", None)
        if checker is None:
            return (None,) * len(images)
        verdicts = []
        for image in images:
            features = self._pipe.feature_extractor(image, return_tensors="pt").pixel_values
            features = features.to(checker.device, checker.dtype)
            _, flags = checker(images=features.clone(), clip_input=features)
            verdicts.append(bool(flags[0]))
        return tuple(verdicts)

    def _in_stream(self) -> Any:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)


def to_uint8(pictures: torch.Tensor) -> torch.Tensor:
    """Turn (N, 3, H, W) in [-1, 1] into uint8 (N, H, W, 3), rounded as by VaeImageProcessor."""
    unit = (pictures * 0.5 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    return (unit.float() * 255).round().nan_to_num().to(torch.uint8)
