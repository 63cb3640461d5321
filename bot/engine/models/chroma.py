"""Chroma: FLUX.1 schnell without CLIP, trained further with guidance and a mask for its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel
from diffusers.pipelines.chroma.pipeline_chroma import ChromaPipeline
from transformers import T5EncoderModel

from bot.engine.conditioning import Network, Rows
from bot.engine.models.flow import FlowTransformer
from bot.engine.models.packing import make_position_ids, pack, unpack, unpack_noise


class Chroma(FlowTransformer):
    """See ``ModelFamily``. Its text is always 512 tokens of T5.

    diffusers adds the mask of ones and zeros to the attention's scores. So padding is only weaker,
    not hidden, and a text of another length would draw another picture.
    """

    pipeline_class: Any = ChromaPipeline
    part_classes = (
        ("transformer", ChromaTransformer2DModel),
        ("vae", AutoencoderKL),
        ("text_encoder", T5EncoderModel),
    )
    layer_counts = ("num_layers", "num_single_layers")
    max_tokens = 512
    guidance_scale = 5.0
    num_inference_steps = 35

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        super().__init__(pipe, folder)
        embedding = self.network.time_text_embed
        embedding.guidance_proj = _NoGuidance(embedding.guidance_proj).to(self.network.device)

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds" and "mask"."""
        tokens = num_tokens or self.max_tokens
        width = self.network.config.joint_attention_dim
        return {"embeds": (tokens, width), "mask": (tokens,)}

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        """Return the noise as drawn for packed tokens."""
        return unpack_noise(noise)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the velocity (R, C, h, w)."""
        text_ids, picture_ids = make_position_ids(rows["embeds"].shape[1], inputs)
        mask = rows["mask"]
        tokens = network(
            pack(inputs),
            encoder_hidden_states=rows["embeds"],
            timestep=times.to(inputs.dtype) / 1000,
            img_ids=picture_ids,
            txt_ids=text_ids,
            attention_mask=torch.cat([mask, mask.new_ones(len(mask), len(picture_ids))], dim=1),
            return_dict=False,
        )[0]
        return unpack(tokens, *inputs.shape[2:])

    def _count_channels(self) -> int:
        return self.network.config.in_channels // 4

    def _run_encoders(self, text: str) -> dict[str, torch.Tensor]:
        embeds, _, mask, *_ = self.pipe.encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=self.max_tokens
        )
        return {"embeds": embeds, "mask": mask}


class _NoGuidance(torch.nn.Module):
    """The embedding of a guidance of 0, which is all that the network ever embeds.

    diffusers makes this number on the CPU in every step, and a CUDA graph cannot capture that.
    """

    embedded: torch.Tensor

    def __init__(self, embed: Any) -> None:
        super().__init__()
        self.register_buffer("embedded", embed(torch.zeros(1)), persistent=False)

    def forward(self, guidance: torch.Tensor) -> torch.Tensor:
        """Return the embedding (R, width) for R numbers."""
        return self.embedded.expand(len(guidance), -1)
