"""What the families of flow models share: a transformer, text encoders and a VAE.

A flow model predicts the velocity from the picture to the noise (Liu et al.,
https://arxiv.org/abs/2209.03003). Each family's class names its diffusers pipeline and overrides
what differs. Texts are encoded by the pipeline itself, one prompt at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bot.domain.recipes import Recipe
from bot.engine.api import GenerationRequest
from bot.engine.conditioning import Conditioning, Network, Rows, Start
from bot.engine.models.decoder import Decoder
from bot.engine.models.defaults import Traits
from bot.engine.models.family import Editor
from bot.engine.models.few_steps import FewSteps
from bot.engine.models.flop import count_network_flop
from bot.engine.models.init_latents import draw_start
from bot.engine.models.latent_codec import LatentCodec
from bot.engine.models.latent_preview import PreviewMatrix, find_matrix
from bot.engine.models.text_cache import EncodedText, TextCache
from bot.engine.sampling.step_tables import Schedule, StepTable
from bot.errors import ConfigError

SIZES = (
    (1024, 1024),
    (832, 1216),
    (1216, 832),
    (896, 1152),
    (1152, 896),
    (768, 1344),
    (1344, 768),
)
"""Sizes of about one megapixel, for families that were trained with all of them."""


class FlowTransformer:
    """A transformer that predicts velocity. See ``ModelFamily`` for what is not described here.

    noise_dtype: the dtype in which the pipeline draws the first noise; None means the network's.
    passes_sigmas: whether the pipeline passes evenly spaced noise levels to the scheduler.
    patch_size: the sides of a picture are multiples of this many latents of the VAE.
    max_shift: for mu, if the scheduler's config has none. layer_counts: the settings of the network
    that say how many equal layers it has; see ``count_network_flop``.
    """

    pipeline_class: Any
    part_classes: tuple[tuple[str, Any], ...]
    compared_parts: tuple[str, ...] = ("transformer", "vae")
    without_checker: Mapping[str, Any] = {}
    half_dtype = torch.bfloat16  # its activations are too large for float16
    caches_prompts = False
    is_capturable = True
    reads_chunks = False
    editor: Editor | None = None
    only_edits = False
    max_clip_skip = 0
    embeds_guidance = False
    sizes: tuple[tuple[int, int], ...] = SIZES
    noise_dtype: torch.dtype | None = None
    passes_sigmas = True
    patch_size = 2
    max_shift = 1.15
    layer_counts: tuple[str, ...] = ()
    max_tokens: int
    guidance_scale: float
    num_inference_steps: int

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        self.pipe = pipe
        self.network = pipe.transformer
        self.tokenizer = self._find_tokenizer()
        self._folder = folder
        # its warnings about long prompts quote them
        logging.getLogger(type(pipe).__module__).setLevel(logging.ERROR)
        self._encode_text = TextCache(self._encode_on_device)
        self.size: tuple[int, int] = getattr(pipe, "native_size", None) or self._find_size()
        self.codec = self._open_codec()
        self.decoder = Decoder(pipe, self.codec)
        if self.size != self.sizes[0]:
            self.sizes = ()
        self.size_multiple = self._find_size_multiple()

    @classmethod
    def adjust(cls, pipe: Any, traits: Traits) -> None:
        """Set the native size that the owner has chosen. Raises ConfigError."""
        multiple = cls.patch_size * pipe.vae_scale_factor
        if traits.size and any(side % multiple for side in traits.size):
            raise ConfigError(
                "triptych.json: the native_size {}×{} does not fit this model, which draws "
                "multiples of {} pixels.".format(*traits.size, multiple)
            )
        pipe.native_size = traits.size

    def prepare(self) -> None:
        """Do nothing: a transformer has no preferred layout."""

    def find_few_steps(self, name: str) -> FewSteps | None:
        """Return None: only few families have distilled models."""
        return None

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int]:
        """Return (C, h, w). Networks with packed tokens get four channels of C as one token."""
        factor = self.codec.factor
        return (self._count_channels(), height // factor, width // factor)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shape of each conditioning tensor of one row."""
        raise NotImplementedError

    def encode(self, recipe: Recipe) -> tuple[Conditioning, Conditioning | None]:
        """Encode the prompt and, if pictures take two rows, the negative prompt."""
        cond = self._encode_text(recipe.drawn_prompt)
        if not self._is_guided(recipe):
            return self._make_row(recipe, cond), None
        uncond = self._encode_negative(recipe.negative_prompt)
        return self._make_row(recipe, cond), self._make_row(recipe, uncond)

    def forget(self) -> None:
        """Forget every prompt."""
        self._encode_text.clear()

    @property
    def num_prompts(self) -> int:
        """Return how many prompts are in the cache."""
        return len(self._encode_text)

    def schedule(self, recipe: Recipe) -> Schedule:
        """Return mu for the picture's number of tokens, and evenly spaced noise levels."""
        steps = recipe.num_inference_steps or 1
        sigmas = torch.linspace(1.0, 1 / steps, steps, dtype=torch.float64)
        levels = tuple(sigmas.tolist()) if self.passes_sigmas else None
        return Schedule(self._find_mu(recipe), levels)

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        """Return the noise as it is; families with packed tokens override this."""
        return noise

    def start(self, request: GenerationRequest, table: StepTable, *, tiled: bool = False) -> Start:
        """Return noise, or a picture's latents with noise."""
        return draw_start(self, request, table, tiled=tiled, noise_dtype=self.noise_dtype)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """See ``Predictor``."""
        raise NotImplementedError

    def guide(self, uncond: torch.Tensor, cond: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Return classifier-free guidance (Ho and Salimans, https://arxiv.org/abs/2207.12598)."""
        return uncond + scale[:, None, None, None] * (cond - uncond)

    def find_preview(self) -> PreviewMatrix:
        """Return the matrix for previews, computed from the VAE if nothing better is known."""
        known = PreviewMatrix(torch.zeros(0, 3), torch.zeros(3))
        return find_matrix(self._folder, self.codec, known)

    def count_flop(self) -> tuple[float, float]:
        """Return the FLOP of one row of the network, and of decoding one picture."""
        latent = self.latent_shape(*self.size)
        row_flop = count_network_flop(
            self.network, latent, self.row_shapes(), self.predict, self.layer_counts
        )
        return row_flop, self.codec.count_flop(latent)

    def _open_codec(self) -> LatentCodec:
        factor = self.pipe.vae_scale_factor
        return LatentCodec(self.pipe.vae, factor, max(self.size) // factor)

    def _find_size(self) -> tuple[int, int]:
        """Return the size that the pipeline draws if none is given."""
        side = self.pipe.default_sample_size * self.pipe.vae_scale_factor
        return side, side

    def _find_tokenizer(self) -> Any:
        """Return the tokenizer that decides how much of a prompt is read."""
        return self.pipe.tokenizer

    def _find_size_multiple(self) -> int:
        return self.patch_size * self.pipe.vae_scale_factor

    def _count_channels(self) -> int:
        return self.network.config.in_channels

    def _is_guided(self, recipe: Recipe) -> bool:
        return not self.embeds_guidance and recipe.drawn_guidance_scale > 1

    def _find_mu(self, recipe: Recipe) -> float | None:
        """Return the shift for this number of tokens, a line between two points (Esser et al.,
        https://arxiv.org/abs/2403.03206, section 5.3.2); None if the scheduler's shift is fixed.
        """
        config = self.pipe.scheduler.config
        if not config.get("use_dynamic_shifting"):
            return None
        width, height = recipe.size
        tokens = (width // self.size_multiple) * (height // self.size_multiple)
        first, last = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
        low, high = config.get("base_shift", 0.5), config.get("max_shift", self.max_shift)
        slope = (high - low) / (last - first)
        return tokens * slope + (low - slope * first)

    def _encode_negative(self, text: str) -> EncodedText:
        """Encode a negative prompt; most families make no difference."""
        return self._encode_text(text)

    def _encode_on_device(self, text: str, **how: Any) -> EncodedText:
        """Run the text encoders, and keep the result on the CPU. how: for the family's methods."""
        tensors = {name: each[0].cpu() for name, each in self._run_encoders(text, **how).items()}
        return EncodedText(tensors, self._find_cut_words(text, **how))

    def _run_encoders(self, text: str) -> dict[str, torch.Tensor]:
        """Encode one text with the pipeline's own method: tensors with a first dimension of 1."""
        raise NotImplementedError

    def _make_row(self, recipe: Recipe, text: EncodedText) -> Conditioning:
        network = self.network
        tensors = {n: t.to(network.device, network.dtype) for n, t in text.tensors.items()}
        return Conditioning(tensors, text.cut_words)

    def _find_cut_words(self, text: str) -> str:
        """Return the end of a text that does not fit into ``max_tokens``."""
        whole = self.tokenizer(text, return_offsets_mapping=True, verbose=False)
        num_added = self.tokenizer.num_special_tokens_to_add()
        room = self.max_tokens - num_added
        ends = [end for _, end in whole.offset_mapping if end][:room]
        return text[ends[-1] :].strip() if ends and len(whole.input_ids) - num_added > room else ""
