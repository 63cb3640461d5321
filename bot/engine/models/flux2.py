"""FLUX.2 klein: a long unmasked text, and latents that a batch norm in the VAE normalises.

One latent of the transformer, with 128 channels, is made of 2 × 2 latents of the VAE with 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
from diffusers.pipelines.flux2.pipeline_flux2_klein import (
    Flux2KleinPipeline,
    compute_empirical_mu,
)
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from transformers import Qwen3ForCausalLM

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Network, Rows
from bot.engine.models.editing import ReferenceEditor
from bot.engine.models.few_steps import FewSteps
from bot.engine.models.flow import FlowTransformer
from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.text_buckets import find_cut_words
from bot.engine.sampling.step_tables import Schedule

_REFERENCE_TIME = 10  # the pipeline numbers its reference pictures 10, 20, …


class Flux2Codec(LatentCodec):
    """Latents (N, 4C, h, w) stand for latents (N, C, 2h, 2w) of the VAE, normalised."""

    def sample(
        self, parameters: torch.Tensor, generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        """Return the most likely latent for each generator, as the pipeline does; draw nothing."""
        mode = self.scale(DiagonalGaussianDistribution(parameters).mode())
        return mode.expand(len(generators), -1, -1, -1)

    def scale(self, latents: torch.Tensor) -> torch.Tensor:
        """Turn latents (N, C, 2h, 2w) of the VAE into normalised latents (N, 4C, h, w)."""
        mean, std = self._read_norm(latents)
        return (pixel_unshuffle(latents, 2) - mean) / std

    def unscale(self, latents: torch.Tensor) -> torch.Tensor:
        """Undo ``scale``, for the decoder."""
        mean, std = self._read_norm(latents)
        return pixel_shuffle(latents * std + mean, 2)

    def count_flop(self, latent: Sequence[int]) -> float:
        """Count the FLOP to decode one picture from a latent (4C, h, w)."""
        channels, height, width = latent
        return super().count_flop((channels // 4, 2 * height, 2 * width))

    def _read_norm(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean and the standard deviation of each of the 4C channels."""
        norm = self.vae.bn
        mean = norm.running_mean.to(latents)[:, None, None]
        variance = norm.running_var + self.vae.config.batch_norm_eps
        return mean, variance.sqrt().to(latents)[:, None, None]


class Flux2Klein(FlowTransformer):
    """See ``ModelFamily``. A text has 512 tokens, with its padding and without a mask.

    A model that was distilled to draw in four steps takes one row and ignores the guidance scale.
    """

    pipeline_class: Any = Flux2KleinPipeline
    part_classes = (
        ("transformer", Flux2Transformer2DModel),
        ("vae", AutoencoderKLFlux2),
        ("text_encoder", Qwen3ForCausalLM),
    )
    layer_counts = ("num_layers", "num_single_layers")
    max_tokens = 512
    guidance_scale = 4.0
    num_inference_steps = 50

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        super().__init__(pipe, folder)
        self.embeds_guidance = bool(pipe.config.is_distilled)
        self.editor = ReferenceEditor(self)

    def find_few_steps(self, name: str) -> FewSteps | None:
        """Recognise a distilled model by its own config."""
        return FewSteps("distilled FLUX.2 klein", 4) if self.embeds_guidance else None

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shape of "embeds"."""
        return {"embeds": (num_tokens or self.max_tokens, self.network.config.joint_attention_dim)}

    def schedule(self, recipe: Recipe) -> Schedule:
        """Return mu for the picture's tokens and steps, and evenly spaced noise levels.

        The pipeline passes no noise levels to a scheduler that has ``use_flow_sigmas``. Of those,
        only UniPC would take them.
        """
        schedule = super().schedule(recipe)
        return replace(schedule, sigmas=None) if recipe.sampler == "unipc" else schedule

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        """Arrange the noise (N, C, h, w) as if it had been drawn as tokens (N, h·w, C)."""
        batch, channels, height, width = noise.shape
        return noise.reshape(batch, height, width, channels).permute(0, 3, 1, 2)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the velocity (R, C, h, w)."""
        height, width = inputs.shape[2:]
        tokens, ids = _arrange(inputs)
        if "reference" in rows:
            shown, shown_ids = _arrange(rows["reference"], _REFERENCE_TIME)
            tokens, ids = torch.cat([tokens, shown], dim=1), torch.cat([ids, shown_ids])
        predicted = network(
            tokens,
            timestep=times.to(inputs.dtype) / 1000,
            encoder_hidden_states=rows["embeds"],
            txt_ids=_make_ids(1, 1, rows["embeds"].shape[1], inputs.device),
            img_ids=ids,
            return_dict=False,
        )[0]
        drawn = predicted[:, : height * width]
        return drawn.transpose(1, 2).unflatten(2, (height, width))

    def _open_codec(self) -> LatentCodec:
        factor = self._find_size_multiple()
        return Flux2Codec(self.pipe.vae, factor, max(self.size) // factor)

    def _find_mu(self, recipe: Recipe) -> float | None:
        if not self.pipe.scheduler.config.get("use_dynamic_shifting"):
            return None
        _, height, width = self.latent_shape(*recipe.size)
        return compute_empirical_mu(height * width, recipe.num_inference_steps or 1)

    def _run_encoders(self, text: str) -> dict[str, torch.Tensor]:
        return {"embeds": self.pipe.encode_prompt(text, max_sequence_length=self.max_tokens)[0]}

    def _find_cut_words(self, text: str) -> str:
        template = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": "{}"}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        return find_cut_words(self.tokenizer, template, text, self.max_tokens)


def _arrange(latents: torch.Tensor, time: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn latents (R, C, h, w) into tokens (R, h·w, C), and number them: int64 (h·w, 4)."""
    height, width = latents.shape[2:]
    ids = _make_ids(height, width, 1, latents.device)
    ids[:, 0] = time
    return latents.flatten(2).transpose(1, 2), ids


def _make_ids(height: int, width: int, length: int, device: torch.device) -> torch.Tensor:
    """Number tokens by image, row, column and place in the text: int64 (tokens, 4)."""
    axes = (torch.arange(side, device=device) for side in (1, height, width, length))
    return torch.cartesian_prod(*axes)
