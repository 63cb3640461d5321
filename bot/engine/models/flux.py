"""FLUX.1: dev takes the guidance scale as an input, schnell takes none and draws in four steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from diffusers.pipelines.flux.pipeline_flux import FluxPipeline
from transformers import CLIPTextModel, T5EncoderModel

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Conditioning, Network, Rows
from bot.engine.models.few_steps import FewSteps, recognise_named
from bot.engine.models.flow import FlowTransformer
from bot.engine.models.packing import make_position_ids, pack, unpack, unpack_noise
from bot.engine.models.text_cache import EncodedText
from bot.engine.sampling.step_tables import Schedule

_SCHNELL_TOKENS = 256
"""schnell was trained with texts of this length; the pipeline's default is that of dev."""

_SCHNELL = FewSteps("FLUX.1 schnell", 4)
_FEW_STEPS = {kind: FewSteps("FLUX.1 Turbo", 8, 3.5) for kind in ("turbo", "hyper")}


class Flux(FlowTransformer):
    """See ``ModelFamily``. A picture always takes one row: there is no negative prompt.

    Its text is 512 (schnell: 256) unmasked tokens of T5. CLIP's pooled output joins the time.
    """

    pipeline_class: Any = FluxPipeline
    part_classes = (
        ("transformer", FluxTransformer2DModel),
        ("vae", AutoencoderKL),
        ("text_encoder", CLIPTextModel),
        ("text_encoder_2", T5EncoderModel),
    )
    embeds_guidance = True
    layer_counts = ("num_layers", "num_single_layers")
    max_tokens = 512
    guidance_scale = 3.5
    num_inference_steps = 28

    def __init__(self, pipe: Any, folder: Path | None = None) -> None:
        super().__init__(pipe, folder)
        if not self._takes_guidance:
            self.max_tokens = _SCHNELL_TOKENS

    def find_few_steps(self, name: str) -> FewSteps | None:
        """Recognise schnell by its missing input, and models with a LoRA for dev by their name.

        https://huggingface.co/black-forest-labs/FLUX.1-schnell
        https://huggingface.co/alimama-creative/FLUX.1-Turbo-Alpha
        """
        return recognise_named(name, _FEW_STEPS) if self._takes_guidance else _SCHNELL

    def row_shapes(self, num_tokens: int | None = None) -> dict[str, tuple[int, ...]]:
        """Return the shapes of "embeds", "pooled" and, for dev, "guidance"."""
        config = self.network.config
        shapes: dict[str, tuple[int, ...]] = {
            "embeds": (num_tokens or self.max_tokens, config.joint_attention_dim),
            "pooled": (config.pooled_projection_dim,),
        }
        return shapes | {"guidance": ()} if self._takes_guidance else shapes

    def schedule(self, recipe: Recipe) -> Schedule:
        """Return mu and evenly spaced noise levels, which the text pipeline keeps from UniPC."""
        schedule = super().schedule(recipe)
        is_dropped = recipe.sampler == "unipc" and recipe.start is None
        return replace(schedule, sigmas=None) if is_dropped else schedule

    def arrange_noise(self, noise: torch.Tensor) -> torch.Tensor:
        """Return the noise as drawn for packed tokens."""
        return unpack_noise(noise)

    def predict(
        self, network: Network, inputs: torch.Tensor, times: torch.Tensor, rows: Rows
    ) -> torch.Tensor:
        """Return the velocity (R, C, h, w)."""
        text_ids, ids = make_position_ids(rows["embeds"].shape[1], inputs)
        tokens, num_drawn = pack(inputs), len(ids)
        if "reference" in rows:
            _, shown_ids = make_position_ids(0, rows["reference"])
            shown_ids[:, 0] = 1  # it is another picture
            tokens = torch.cat([tokens, pack(rows["reference"])], dim=1)
            ids = torch.cat([ids, shown_ids])
        predicted = network(
            tokens,
            encoder_hidden_states=rows["embeds"],
            pooled_projections=rows["pooled"],
            timestep=times.to(inputs.dtype) / 1000,
            img_ids=ids,
            txt_ids=text_ids,
            guidance=rows.get("guidance"),
            return_dict=False,
        )[0]
        return unpack(predicted[:, :num_drawn], *inputs.shape[2:])

    @property
    def _takes_guidance(self) -> bool:
        return self.network.config.guidance_embeds

    def _find_tokenizer(self) -> Any:
        return self.pipe.tokenizer_2

    def _count_channels(self) -> int:
        return self.network.config.in_channels // 4

    def _run_encoders(self, text: str) -> dict[str, torch.Tensor]:
        embeds, pooled, _ = self.pipe.encode_prompt(text, text, max_sequence_length=self.max_tokens)
        return {"embeds": embeds, "pooled": pooled}

    def _make_row(self, recipe: Recipe, text: EncodedText) -> Conditioning:
        row = super()._make_row(recipe, text)
        if not self._takes_guidance:
            return row
        # the pipeline makes it in float32, whatever the model's dtype is
        guidance = torch.tensor(recipe.drawn_guidance_scale, device=self.network.device)
        return replace(row, tensors={**row.tensors, "guidance": guidance.to(self.network.dtype)})
