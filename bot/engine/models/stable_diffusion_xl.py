"""Stable Diffusion XL: two text encoders, and a UNet that also gets the picture's size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from transformers import CLIPTextModelWithProjection

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Conditioning, Rows
from bot.engine.models.prompt_encoder import EncodedText, PromptEncoder
from bot.engine.models.stable_diffusion import StableDiffusion

_NUM_TIME_IDS = 6
_LATENT_TO_RGB = tuple(
    tuple(each / 127.5 for each in row)
    for row in ((60, 60, 60), (-60, -5, 10), (25, 15, -5), (-70, -50, -35))
)
_RGB_BIAS = tuple(each / 127.5 - 1 for each in (150, 140, 130))
"""https://huggingface.co/blog/TimothyAlexisVass/explaining-the-sdxl-latent-space (of 255)."""


class StableDiffusionXL(StableDiffusion):
    """Like Stable Diffusion, but each row has more conditioning. See ``ModelFamily``."""

    pipeline_class = StableDiffusionXLPipeline
    part_classes = (
        *StableDiffusion.part_classes,
        ("text_encoder_2", CLIPTextModelWithProjection),
    )
    compared_parts = (*StableDiffusion.compared_parts, "text_encoder_2")
    without_checker: Mapping[str, Any] = {"add_watermarker": False}
    guidance_scale = 5.0
    latent_to_rgb = _LATENT_TO_RGB
    rgb_bias = _RGB_BIAS

    sizes: tuple[tuple[int, int], ...] = (
        (1024, 1024),
        (832, 1216),
        (1216, 832),
        (896, 1152),
        (1152, 896),
        (768, 1344),
        (1344, 768),
        (640, 1536),
        (1536, 640),
    )
    """The sizes it was trained with (https://arxiv.org/abs/2307.01952, appendix I)."""

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        super().__init__(pipe, folder)
        if self.size != self.sizes[0]:
            self.sizes = ()
        if pipe.vae.config.force_upcast and pipe.vae.dtype == torch.float16:
            # SDXL's own VAE overflows in float16. In repaired VAEs, force_upcast is false.
            pipe.vae.to(torch.float32)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds", "pooled" (of the second text encoder), and "time_ids"."""
        pooled = self.pipe.text_encoder_2.config.projection_dim
        return {
            **super().row_shapes(num_tokens),
            "pooled": (pooled,),
            "time_ids": (_NUM_TIME_IDS,),
        }

    def _name_inputs(self, rows: Rows) -> dict[str, Any]:
        added = {"text_embeds": rows["pooled"], "time_ids": rows["time_ids"]}
        return {**super()._name_inputs(rows), "added_cond_kwargs": added}

    def _open_encoders(self) -> tuple[PromptEncoder, ...]:
        pipe = self.pipe
        pairs = ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2))
        return tuple(PromptEncoder(*pair, penultimate=True) for pair in pairs)

    def _encode_text(self, text: str, clip_skip: int | None = None) -> EncodedText:
        """Join both encoders' embeddings of each token, and use the second one's pooled vector."""
        first, second = (encoder.encode(text, clip_skip) for encoder in self._encoders)
        embeds = torch.cat([first.embeds, second.embeds], dim=1)
        return EncodedText(embeds, second.pooled, first.cut_words)

    def _encode_negative(self, text: str) -> EncodedText:
        """Encode the negative prompt. Some models were trained to get zeros if there is none."""
        encoded = self._encode(text)
        if text or not self.pipe.config.force_zeros_for_empty_prompt:
            return encoded
        zeros = torch.zeros_like(encoded.embeds)
        return EncodedText(zeros, torch.zeros_like(self._get_pooled(encoded)))

    def _pad(self, text: EncodedText, length: int, clip_skip: int | None) -> torch.Tensor:
        if text.embeds.any():
            return super()._pad(text, length, clip_skip)
        return text.embeds.new_zeros(length, text.embeds.shape[1])

    def _make_row(self, recipe: Recipe, text: EncodedText, embeds: torch.Tensor) -> Conditioning:
        """Add the time ids: the size before cropping, the corner of the crop, and the new size."""
        row = super()._make_row(recipe, text, embeds)
        width, height = recipe.size
        like: dict[str, Any] = {"dtype": embeds.dtype, "device": embeds.device}
        time_ids = torch.tensor([height, width, 0, 0, height, width], **like)
        tensors = {**row.tensors, "pooled": self._get_pooled(text), "time_ids": time_ids}
        return Conditioning(tensors, row.cut_words)

    @staticmethod
    def _get_pooled(text: EncodedText) -> torch.Tensor:
        assert text.pooled is not None, "the second encoder has a projection"
        return text.pooled
