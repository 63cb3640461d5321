"""Z-Image and Z-Image-Turbo: one text encoder, and a transformer that takes lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel
from diffusers.pipelines.z_image.pipeline_z_image import ZImagePipeline
from transformers import Qwen3Model

from bot.domain.recipes import Recipe
from bot.engine.api import GenerationRequest
from bot.engine.conditioning import Conditioning, Network, Rows, Start
from bot.engine.models.few_steps import FewSteps, recognise_named
from bot.engine.models.flow import FlowTransformer
from bot.engine.models.init_latents import draw_start
from bot.engine.models.text_buckets import BUCKETS, find_cut_words, pad_texts
from bot.engine.sampling.step_tables import StepTable

_READ_TOKENS = 512
"""How many tokens are read: the prompt, and the words that the chat template puts around it."""

_TURBO = {"turbo": FewSteps("Turbo", 8)}


class ZImage(FlowTransformer):
    """See ``ModelFamily``.

    Its pipeline counts ``guidance_scale`` from 0: p + g · (p - n) for the predictions p with the
    prompt and n with the negative prompt. This is the usual guidance with a scale of g + 1. So that
    a scale means the same for all models, and up to 1 means none, Triptych's scale is g + 1.
    """

    pipeline_class: Any = ZImagePipeline
    part_classes: tuple[tuple[str, Any], ...] = (
        ("transformer", ZImageTransformer2DModel),
        ("vae", AutoencoderKL),
        ("text_encoder", Qwen3Model),
    )
    is_capturable = False  # the lengths of the lists depend on the prompts
    noise_dtype: torch.dtype | None = torch.float32
    layer_counts = ("n_layers",)
    guidance_scale = 6.0
    num_inference_steps = 50
    sizes: tuple[tuple[int, int], ...] = (
        (1024, 1024),
        (1152, 896),
        (896, 1152),
        (1152, 864),
        (864, 1152),
        (1248, 832),
        (832, 1248),
        (1280, 720),
        (720, 1280),
        (1344, 576),
        (576, 1344),
    )

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        super().__init__(pipe, folder)
        self._template: str = pipe.tokenizer.apply_chat_template(
            [{"role": "user", "content": "{}"}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=True,
        )
        before, _, _ = self._template.partition("{}")
        # with the two markers that ``ModelInfo.max_tokens`` includes
        self.max_tokens = _READ_TOKENS - len(pipe.tokenizer(before).input_ids) + 2

    def find_few_steps(self, name: str) -> FewSteps | None:
        """Recognise Turbo: 8 steps and no guidance, as its card recommends."""
        return recognise_named(name, _TURBO)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds" and "mask"."""
        tokens = num_tokens or BUCKETS[0]
        return {"embeds": (tokens, self.network.config.cap_feat_dim), "mask": (tokens,)}

    def encode(self, recipe: Recipe) -> tuple[Conditioning, Conditioning | None]:
        """Encode the prompt and, if pictures take two rows, the negative prompt."""
        return pad_texts(*super().encode(recipe))

    def start(self, request: GenerationRequest, table: StepTable, *, tiled: bool = False) -> Start:
        """Return noise in float32, or a picture's latents with noise in the network's dtype."""
        dtype = self.noise_dtype if request.image is None else None
        return draw_start(self, request, table, tiled=tiled, noise_dtype=dtype)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the velocity (R, C, h, w): the network predicts its opposite."""
        texts = zip(rows["embeds"], _count_tokens(rows["mask"]), strict=True)
        outputs = network(
            list(inputs.unsqueeze(2)),
            (1000 - times.float()) / 1000,
            [embeds[:length] for embeds, length in texts],
            return_dict=False,
        )[0]
        return -torch.stack(outputs).squeeze(2)

    def _find_size(self) -> tuple[int, int]:
        return self.sizes[0]

    def _run_encoders(self, text: str) -> dict[str, torch.Tensor]:
        [embeds], _ = self.pipe.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=_READ_TOKENS
        )
        return {"embeds": embeds[None]}

    def _find_cut_words(self, text: str) -> str:
        return find_cut_words(self.tokenizer, self._template, text, _READ_TOKENS)


def _count_tokens(mask: torch.Tensor) -> list[int]:
    """Return the length of each text, at least 1: rows that pad a batch have no text.

    Without values (device "meta"), all texts have the full length.
    """
    if mask.is_meta:
        return [mask.shape[1]] * len(mask)
    return mask.bool().sum(dim=1).clamp(min=1).tolist()
