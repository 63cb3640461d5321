"""Stable Diffusion 1.x and 2.x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from transformers import CLIPTextModel

from bot.domain.recipes import Recipe
from bot.engine.api import GenerationRequest
from bot.engine.conditioning import Conditioning, Network, Rows, Start
from bot.engine.models.decoder import Decoder
from bot.engine.models.defaults import Traits
from bot.engine.models.family import Editor
from bot.engine.models.few_steps import FewSteps, recognise_few_steps
from bot.engine.models.flop import count_network_flop
from bot.engine.models.init_latents import draw_start
from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.latent_preview import PreviewMatrix, find_matrix
from bot.engine.models.prompt_encoder import EncodedText, PromptEncoder
from bot.engine.models.traits import adjust_unet, find_size_multiple
from bot.engine.sampling.step_tables import PLAIN, Schedule, StepTable

_MAX_PROMPTS = 128
"""How many embeddings are kept, for the empty prompt and for prompts that are drawn again."""

_LATENT_TO_RGB = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)
"""https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204/2"""


class StableDiffusion:
    """A text encoder, a UNet that predicts noise or velocity, and a VAE. See ``ModelFamily``."""

    pipeline_class: Any = StableDiffusionPipeline
    part_classes: tuple[tuple[str, Any], ...] = (
        ("unet", UNet2DConditionModel),
        ("vae", AutoencoderKL),
        ("text_encoder", CLIPTextModel),
    )
    compared_parts: tuple[str, ...] = ("unet", "vae", "text_encoder")
    without_checker: Mapping[str, Any] = {
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    sizes: tuple[tuple[int, int], ...] = ()
    half_dtype = torch.float16
    caches_prompts = True
    is_capturable = True
    reads_chunks = True
    editor: Editor | None = None
    only_edits = False
    guidance_scale = 7.5
    num_inference_steps = 50
    latent_to_rgb: Sequence[Sequence[float]] = _LATENT_TO_RGB
    rgb_bias: Sequence[float] = (0, 0, 0)

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        self.pipe = pipe
        self.network = pipe.unet
        self.tokenizer = pipe.tokenizer
        self._folder = folder
        self._encoders = self._open_encoders()
        self._encode = lru_cache(_MAX_PROMPTS)(self._encode_text)
        config = pipe.unet.config
        side = config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        self.codec = LatentCodec(pipe.vae, pipe.vae_scale_factor, max(width, height))
        self.decoder = Decoder(pipe, self.codec)
        self.size = (width * self.codec.factor, height * self.codec.factor)
        self.size_multiple = find_size_multiple(pipe)
        self.max_tokens = min(encoder.max_tokens for encoder in self._encoders)
        self.max_clip_skip = min(encoder.max_clip_skip for encoder in self._encoders)
        self.embeds_guidance = config.time_cond_proj_dim is not None

    @classmethod
    def adjust(cls, pipe: Any, traits: Traits) -> None:
        """Give a pipeline the scheduler and the native size that fit its weights."""
        adjust_unet(pipe, traits)

    def prepare(self) -> None:
        """Keep each pixel's channels together in memory, as convolutions want it."""
        for part in (self.network, self.codec.vae):
            part.to(memory_format=torch.channels_last)

    def find_few_steps(self, name: str) -> FewSteps | None:
        """Recognise a model that was distilled to draw in a few steps, by its name or settings."""
        scheduler = self.pipe.scheduler
        kind, settings = type(scheduler).__name__, dict(scheduler.config)
        return recognise_few_steps(name, kind, settings, embeds_guidance=self.embeds_guidance)

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """Return (C, h, w)."""
        channels: int = self.network.config.in_channels
        return (channels, height // self.codec.factor, width // self.codec.factor)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds" and, for a distilled model, "timestep_cond"."""
        width = sum(encoder.width for encoder in self._encoders)
        shapes: dict[str, tuple[int, ...]] = {"embeds": (num_tokens or self.max_tokens, width)}
        if self.embeds_guidance:
            shapes["timestep_cond"] = (self.network.config.time_cond_proj_dim,)
        return shapes

    def encode(self, recipe: Recipe) -> tuple[Conditioning, Conditioning | None]:
        """Return what the pipeline passes to its UNet. Empty chunks lengthen the shorter text."""
        cond = self._encode(recipe.drawn_prompt, recipe.clip_skip)
        if self.embeds_guidance or recipe.drawn_guidance_scale <= 1:
            return self._make_row(recipe, cond, cond.embeds), None
        uncond = self._encode_negative(recipe.negative_prompt)
        length = max(len(cond.embeds), len(uncond.embeds))
        padded = [
            self._make_row(recipe, each, self._pad(each, length, skip))
            for each, skip in ((cond, recipe.clip_skip), (uncond, None))
        ]
        return padded[0], padded[1]

    def forget(self) -> None:
        """Forget every prompt."""
        self._encode.cache_clear()

    @property
    def num_prompts(self) -> int:
        """Return how many prompts are in the cache."""
        return self._encode.cache_info().currsize

    def schedule(self, recipe: Recipe) -> Schedule:
        """Return the scheduler's own noise levels."""
        return PLAIN

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        """Return the noise as it is."""
        return noise

    def start(self, request: GenerationRequest, table: StepTable, *, tiled: bool = False) -> Start:
        """Return noise, or a picture's latents with noise."""
        return draw_start(self, request, table, tiled=tiled)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the UNet's prediction (R, C, h, w)."""
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        return network(inputs, times, **self._name_inputs(rows), return_dict=False)[0]

    def guide(self, uncond: torch.Tensor, cond: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return classifier-free guidance (Ho and Salimans, https://arxiv.org/abs/2207.12598)."""
        return uncond + scale[:, None, None, None] * (cond - uncond)

    def find_preview(self) -> PreviewMatrix:
        """Return the matrix for previews: the model's own, or the one known for this family."""
        known = PreviewMatrix(torch.tensor(self.latent_to_rgb), torch.tensor(self.rgb_bias))
        return find_matrix(self._folder, self.codec, known)

    def count_flop(self) -> tuple[float, float]:
        """Return the FLOP of one row of the UNet, and of decoding one picture, at native size."""
        latent = self.latent_shape(*self.size)
        row_flop = count_network_flop(self.network, latent, self.row_shapes(), self.predict)
        return row_flop, self.codec.count_flop(latent)

    def _name_inputs(self, rows: Rows) -> dict[str, Any]:
        """Return the conditioning as the UNet's keyword arguments."""
        return {
            "encoder_hidden_states": rows["embeds"],
            "timestep_cond": rows.get("timestep_cond"),
        }

    def _open_encoders(self) -> tuple[PromptEncoder, ...]:
        return (PromptEncoder(self.pipe.tokenizer, self.pipe.text_encoder),)

    def _encode_text(self, text: str, clip_skip: int | None = None) -> EncodedText:
        [encoder] = self._encoders
        return encoder.encode(text, clip_skip)

    def _encode_negative(self, text: str) -> EncodedText:
        return self._encode(text)

    def _pad(self, text: EncodedText, length: int, clip_skip: int | None) -> torch.Tensor:
        """Return a text's embeddings, followed by those of empty chunks up to this length."""
        missing = (length - len(text.embeds)) // self.max_tokens
        empty = [self._encode("", clip_skip).embeds] if missing else []
        return torch.cat([text.embeds, *empty * missing])

    def _make_row(self, recipe: Recipe, text: EncodedText, embeds: torch.Tensor) -> Conditioning:
        tensors = {"embeds": embeds}
        if self.embeds_guidance:
            scale = torch.tensor([recipe.drawn_guidance_scale - 1])
            width = self.network.config.time_cond_proj_dim
            embedded = self.pipe.get_guidance_scale_embedding(scale, embedding_dim=width)
            tensors["timestep_cond"] = embedded[0].to(embeds.device, embeds.dtype)
        return Conditioning(tensors, text.cut_words)
