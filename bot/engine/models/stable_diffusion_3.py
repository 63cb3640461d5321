"""Stable Diffusion 3 and 3.5: three text encoders, whose outputs make one unmasked text."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import (
    StableDiffusion3Pipeline,
)
from transformers import CLIPTextModelWithProjection, T5EncoderModel

from bot.engine.conditioning import Network, Rows
from bot.engine.models.flow import FlowTransformer

_CLIP_TOKENS = 77


class StableDiffusion3(FlowTransformer):
    """See ``ModelFamily``. Its text has a fixed length: 77 tokens of CLIP, then 256 of T5."""

    pipeline_class: Any = StableDiffusion3Pipeline
    part_classes = (
        ("transformer", SD3Transformer2DModel),
        ("vae", AutoencoderKL),
        ("text_encoder", CLIPTextModelWithProjection),
        ("text_encoder_2", CLIPTextModelWithProjection),
        ("text_encoder_3", T5EncoderModel),
    )
    passes_sigmas = False
    max_shift = 1.16
    max_tokens = 256
    guidance_scale = 7.0
    num_inference_steps = 28

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds" and "pooled"."""
        config = self.network.config
        tokens = num_tokens or _CLIP_TOKENS + self.max_tokens
        return {
            "embeds": (tokens, config.joint_attention_dim),
            "pooled": (config.pooled_projection_dim,),
        }

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the velocity (R, C, h, w)."""
        return network(
            inputs,
            timestep=times,
            encoder_hidden_states=rows["embeds"],
            pooled_projections=rows["pooled"],
            return_dict=False,
        )[0]

    def _find_tokenizer(self) -> Any:
        return self.pipe.tokenizer_3

    def _find_size_multiple(self) -> int:
        return self.codec.factor * self.network.config.patch_size

    def _run_encoders(self, text: str) -> dict[str, torch.Tensor]:
        embeds, _, pooled, _ = self.pipe.encode_prompt(
            text, text, text, do_classifier_free_guidance=False, max_sequence_length=self.max_tokens
        )
        return {"embeds": embeds, "pooled": pooled}
