"""Shows a network the latents of the picture that an instruction changes."""

from __future__ import annotations

import math

import torch
from PIL import Image

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Conditioning
from bot.engine.models.flow import FlowTransformer


class ReferenceEditor:
    """For networks that read a picture's latents as further tokens, as in FLUX.1 Kontext
    (https://arxiv.org/abs/2506.15742).

    A picture of more than ``max_pixels`` is made smaller first.
    """

    area = 0
    max_pixels = 1024 * 1024

    def __init__(self, family: FlowTransformer) -> None:
        self._family = family

    def encode(
        self, recipe: Recipe, picture: Image.Image
    ) -> tuple[Conditioning, Conditioning | None]:
        """Return the rows of the prompts, each with "reference": the most likely latents."""
        cond, uncond = self._encode_prompts(recipe, picture)
        network = self._family.network
        mode = self._family.codec.encode_mode(self._prepare(picture))
        reference = mode[0].to(network.device, network.dtype)
        return cond.show(reference), uncond and uncond.show(reference)

    def _encode_prompts(
        self, recipe: Recipe, picture: Image.Image
    ) -> tuple[Conditioning, Conditioning | None]:
        return self._family.encode(recipe)

    def _prepare(self, picture: Image.Image) -> torch.Tensor:
        """Return the pixels (1, 3, H, W) in [-1, 1] that are encoded as the reference."""
        picture = self._limit(picture)
        width, height = (side - side % self._family.size_multiple for side in picture.size)
        return self._family.pipe.image_processor.preprocess(
            picture, height=height, width=width, resize_mode="crop"
        )

    def _limit(self, picture: Image.Image) -> Image.Image:
        pixels = picture.width * picture.height
        if pixels <= self.max_pixels:
            return picture
        scale = math.sqrt(self.max_pixels / pixels)
        size = (int(picture.width * scale), int(picture.height * scale))
        return picture.resize(size, Image.Resampling.LANCZOS)
