"""Shows a network the latents of the picture that an instruction changes."""

from __future__ import annotations

import math

from PIL import Image

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Conditioning
from bot.engine.models.flow import FlowTransformer


class ReferenceEditor:
    """For networks that read a picture's latents as further tokens, as in FLUX.1 Kontext
    (https://arxiv.org/abs/2506.15742).

    A picture of more than ``max_pixels`` is made smaller first.
    """

    max_pixels = 1024 * 1024

    def __init__(self, family: FlowTransformer) -> None:
        self._family = family

    def encode(
        self, recipe: Recipe, picture: Image.Image
    ) -> tuple[Conditioning, Conditioning | None]:
        """Return the rows of the prompts, each with "reference": the most likely latents."""
        family = self._family
        cond, uncond = family.encode(recipe)
        picture = self._limit(picture)
        width, height = (side - side % family.size_multiple for side in picture.size)
        pixels = family.pipe.image_processor.preprocess(
            picture, height=height, width=width, resize_mode="crop"
        )
        network = family.network
        reference = family.codec.encode_mode(pixels)[0].to(network.device, network.dtype)
        return cond.show(reference), uncond and uncond.show(reference)

    def _limit(self, picture: Image.Image) -> Image.Image:
        pixels = picture.width * picture.height
        if pixels <= self.max_pixels:
            return picture
        scale = math.sqrt(self.max_pixels / pixels)
        size = (int(picture.width * scale), int(picture.height * scale))
        return picture.resize(size, Image.Resampling.LANCZOS)
