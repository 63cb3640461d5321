"""Qwen-Image: one text encoder with a mask, packed latents, guidance with a norm, a video VAE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage
from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
from diffusers.pipelines.qwenimage.pipeline_qwenimage import QwenImagePipeline
from transformers import Qwen2_5_VLForConditionalGeneration

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Conditioning, Network, Rows
from bot.engine.models.few_steps import FewSteps, recognise_named
from bot.engine.models.flop import count_vae_flop
from bot.engine.models.flow import FlowTransformer
from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.packing import pack, unpack, unpack_noise
from bot.engine.models.text_buckets import BUCKETS, find_cut_words, pad_texts

_READ_TOKENS = 512
NO_NEGATIVE = " "
"""The negative prompt if there is none. With no text at all, the pipeline would not guide."""

_SIDES = ("height", "width")

_FEW_STEPS = {"lightning": FewSteps("Lightning", 8), "distill": FewSteps("Distill", 15)}


class VideoCodec(LatentCodec):
    """A video VAE that gets a picture as a video of one frame (N, C, 1, h, w)."""

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Decode scaled latents (N, C, h, w) as pictures (N, 3, H, W) in [-1, 1]."""
        scaled = self.unscale(latents.to(self.vae.dtype))
        return self.vae.decode(scaled.unsqueeze(2), return_dict=False)[0].squeeze(2)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the mean and the log-variance (N, 2C, h, w) of pictures in [-1, 1]."""
        return super().encode(pixels.unsqueeze(2)).squeeze(2)

    @contextmanager
    def tiled(self) -> Iterator[None]:
        """Make the VAE work tile by tile; three quarters of a tile lie between two tiles.

        Tiles have the VAE's own size, or the model's native size if that is smaller.
        """
        names = [f"tile_sample_{what}_{side}" for what in ("min", "stride") for side in _SIDES]
        own = {name: getattr(self.vae, name) for name in names}
        tile = min(self.vae.tile_sample_min_height, self.native_side * self.factor)
        stride = max(tile * 3 // 4 // self.factor, 1) * self.factor
        self.vae.enable_tiling(tile, tile, stride, stride)
        try:
            yield
        finally:
            self.vae.disable_tiling()
            for name, value in own.items():
                setattr(self.vae, name, value)

    def count_flop(self, latent: Sequence[int]) -> float:
        """Count the FLOP to decode one picture from a latent (C, h, w)."""
        channels, height, width = latent
        return count_vae_flop(self.vae, (channels, 1, height, width))


class QwenImage(FlowTransformer):
    """See ``ModelFamily``."""

    pipeline_class: Any = QwenImagePipeline
    part_classes = (
        ("transformer", QwenImageTransformer2DModel),
        ("vae", AutoencoderKLQwenImage),
        ("text_encoder", Qwen2_5_VLForConditionalGeneration),
    )
    is_capturable = False  # with a mask, the network copies a number from the CPU
    layer_counts = ("num_layers",)
    max_tokens = _READ_TOKENS + 2  # with the two markers that ``ModelInfo.max_tokens`` includes
    guidance_scale = 4.0
    num_inference_steps = 50
    sizes = (
        (1328, 1328),
        (1664, 928),
        (928, 1664),
        (1472, 1104),
        (1104, 1472),
        (1584, 1056),
        (1056, 1584),
    )

    def find_few_steps(self, name: str) -> FewSteps | None:
        """Recognise Lightning and distilled models, which are drawn without guidance."""
        return recognise_named(name, _FEW_STEPS)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds" and "mask"."""
        tokens = num_tokens or BUCKETS[0]
        return {"embeds": (tokens, self.network.config.joint_attention_dim), "mask": (tokens,)}

    def encode(self, recipe: Recipe) -> tuple[Conditioning, Conditioning | None]:
        """Encode the prompt and, if pictures take two rows, the negative prompt."""
        negative = recipe.negative_prompt or NO_NEGATIVE
        return pad_texts(*super().encode(replace(recipe, negative_prompt=negative)))

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        """Arrange the noise (N, C, h, w) of a step as if it had been drawn for packed tokens."""
        return unpack_noise(noise)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the velocity (R, C, h, w)."""
        num_rows, _, height, width = inputs.shape
        tokens, shapes = pack(inputs), [(1, height // 2, width // 2)]
        num_drawn = tokens.shape[1]
        if "reference" in rows:
            reference = rows["reference"]
            tokens = torch.cat([tokens, pack(reference)], dim=1)
            shapes.append((1, reference.shape[2] // 2, reference.shape[3] // 2))
        predicted = network(
            tokens,
            encoder_hidden_states=rows["embeds"],
            encoder_hidden_states_mask=rows["mask"].bool(),
            timestep=times.to(inputs.dtype) / 1000,
            img_shapes=[shapes] * num_rows,
            return_dict=False,
        )[0]
        return unpack(predicted[:, :num_drawn], height, width)

    def guide(self, uncond: torch.Tensor, cond: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return classifier-free guidance, in which each token gets the norm that it has in
        ``cond``.
        """
        guided, wanted = pack(super().guide(uncond, cond, scale)), pack(cond)
        norms = guided.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(guided.dtype).tiny)
        guided = guided * (wanted.norm(dim=-1, keepdim=True) / norms)
        return unpack(guided, *cond.shape[2:])

    def _open_codec(self) -> LatentCodec:
        factor = self.pipe.vae_scale_factor
        return VideoCodec(self.pipe.vae, factor, max(self.size) // factor)

    def _find_size(self) -> tuple[int, int]:
        return self.sizes[0]

    def _count_channels(self) -> int:
        return self.network.config.in_channels // 4

    def _run_encoders(self, text: str) -> dict[str, torch.Tensor]:
        embeds, _ = self.pipe.encode_prompt(text, max_sequence_length=_READ_TOKENS)
        return {"embeds": embeds}

    def _find_cut_words(self, text: str) -> str:
        num_read = self.pipe.prompt_template_encode_start_idx + _READ_TOKENS
        return find_cut_words(self.tokenizer, self.pipe.prompt_template_encode, text, num_read)
