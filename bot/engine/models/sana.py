"""Sana: a linear transformer, a masked text behind an instruction, and a VAE with large latents."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.transformers.sana_transformer import SanaTransformer2DModel
from diffusers.pipelines.sana.pipeline_sana import SanaPipeline
from transformers import Gemma2Model

from bot.engine.conditioning import Network, Rows
from bot.engine.models.flow import SIZES, FlowTransformer
from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.text_buckets import find_cut_words
from bot.engine.models.text_cache import EncodedText

_INSTRUCTION: list[str] = (
    inspect.signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default
)
"""What the pipeline puts before each prompt."""


class SanaCodec(LatentCodec):
    """An AutoencoderDC, which encodes a picture as one latent, without a posterior."""

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the latents (N, C, h, w) of pictures (N, 3, H, W) in [-1, 1]."""
        return self.vae.encode(pixels.to(self.vae.device, self.vae.dtype)).latent

    def sample(
        self, parameters: torch.Tensor, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Return the scaled latent for each generator; draw nothing."""
        return self.scale(parameters).expand(len(generators), -1, -1, -1)

    def encode_mode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the scaled latents (N, C, h, w) of pictures (N, 3, H, W)."""
        return self.scale(self.encode(pixels))

    @contextmanager
    def tiled(self) -> Iterator[None]:
        """See ``LatentCodec.tiled``. Neighbouring tiles overlap by an eighth, as is usual here."""
        vae = self.vae
        own = (
            vae.tile_sample_min_height,
            vae.tile_sample_min_width,
            vae.tile_sample_stride_height,
            vae.tile_sample_stride_width,
        )
        side = min(self.native_side, own[0] // self.factor)
        overlap = max(1, side // 8)
        sides = (side * self.factor,) * 2 + ((side - overlap) * self.factor,) * 2
        vae.enable_tiling(*sides)
        try:
            yield
        finally:
            vae.enable_tiling(*own)
            vae.disable_tiling()


class Sana(FlowTransformer):
    """See ``ModelFamily``. A text has 300 tokens and a mask. It is read in lower case.

    The pipeline can draw the nearest size that the model was trained with and then resize the
    picture (``use_resolution_binning``). This family draws the size that was asked for.
    """

    pipeline_class: Any = SanaPipeline
    part_classes = (
        ("transformer", SanaTransformer2DModel),
        ("vae", AutoencoderDC),
        ("text_encoder", Gemma2Model),
    )
    patch_size = 1
    noise_dtype = torch.float32
    passes_sigmas = False
    layer_counts = ("num_layers",)
    max_tokens = 300
    guidance_scale = 4.5
    num_inference_steps = 20

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        # sizes are rounded to whole latents
        factor, side = pipe.vae_scale_factor, pipe.transformer.config.sample_size
        self.sizes = tuple(
            (width * side // 1024 * factor, height * side // 1024 * factor)
            for width, height in SIZES
        )
        super().__init__(pipe, folder)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds" and "mask"."""
        tokens = num_tokens or self.max_tokens
        return {"embeds": (tokens, self.network.config.caption_channels), "mask": (tokens,)}

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the velocity (R, C, h, w)."""
        predicted = network(
            inputs,
            encoder_hidden_states=rows["embeds"],
            encoder_attention_mask=rows["mask"],
            timestep=times * self.network.config.timestep_scale,
            return_dict=False,
        )[0]
        return predicted[:, : inputs.shape[1]]  # some models also predict a variance

    def _open_codec(self) -> LatentCodec:
        factor = self.pipe.vae_scale_factor
        return SanaCodec(self.pipe.vae, factor, max(self.size) // factor)

    def _find_size(self) -> tuple[int, int]:
        side = self.pipe.transformer.config.sample_size * self.pipe.vae_scale_factor
        return side, side

    def _encode_negative(self, text: str) -> EncodedText:
        return self._encode_text(text, is_negative=True)

    def _run_encoders(self, text: str, *, is_negative: bool = False) -> dict[str, torch.Tensor]:
        embeds, mask, _, _ = self.pipe.encode_prompt(
            text,
            do_classifier_free_guidance=False,
            max_sequence_length=self.max_tokens,
            complex_human_instruction=None if is_negative else _INSTRUCTION,
        )
        return {"embeds": embeds, "mask": mask}

    def _find_cut_words(self, text: str, *, is_negative: bool = False) -> str:
        before = "" if is_negative else "\n".join(_INSTRUCTION)
        limit = self.max_tokens
        if not is_negative:  # this is how the pipeline counts
            limit += len(self.tokenizer.encode(before)) - 2
        cut = find_cut_words(self.tokenizer, before + "{}", text.lower(), limit)
        whole = text.rstrip()
        return whole[len(whole) - len(cut) :]  # as it was written
