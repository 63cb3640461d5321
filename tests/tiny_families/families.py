"""Writes the folders. One function for each family says what its pipeline in diffusers 0.42.1 does.

h, w: the height and width of the latents of a VAE with C channels. t: the timesteps of the
scheduler. p, n: the outputs for the prompt and the negative prompt. g: the guidance.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import (
    ChromaPipeline,
    ChromaTransformer2DModel,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SanaPipeline,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)

from tests.tiny_families.parts import (
    CHANNELS,
    WIDTH,
    build_clip,
    build_dc_vae,
    build_dynamic_scheduler,
    build_flux2_vae,
    build_gemma2,
    build_qwen3,
    build_qwen_vae,
    build_qwen_vl,
    build_t5,
    build_vae,
    fill,
)
from tests.tiny_families.qwen_edit import EDITORS
from tests.tiny_families.tokenizers import (
    build_gemma_tokenizer,
    build_qwen_tokenizer,
    build_t5_tokenizer,
)
from tests.tiny_models import build_clip_tokenizer


def make_tiny(family: str, folder: Path) -> Path:
    """Write a tiny model of a family, one of FAMILIES or EDITORS, and return its folder."""
    if family in EDITORS:
        EDITORS[family](folder)
        return folder
    pipe = FAMILIES[family]()
    pipe.save_pretrained(folder, safe_serialization=True)
    return folder


def _build_z_image() -> ZImagePipeline:
    """Noise (1, C, h, w) and latents are float32, whatever the model is.

    Time: (1000 - t) / 1000. The scheduler steps with the negated output. Guidance g > 0, so also
    1, takes a second row: p + g(p - n) in float32; n of "" by default. Text: at most 512 tokens of
    the chat template with thinking, the second last hidden state, without the padding. Sizes are
    multiples of 16. mu is passed, but not used with the shift of 3.
    """
    tokenizer = build_qwen_tokenizer()
    transformer = ZImageTransformer2DModel(
        in_channels=CHANNELS,
        dim=WIDTH,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=WIDTH,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 64, 64],
    )
    return ZImagePipeline(
        tokenizer=tokenizer,
        text_encoder=build_qwen3(tokenizer),
        transformer=fill(transformer, 20),
        vae=build_vae(0.3611, 0.1159),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def _build_flux2() -> Flux2KleinPipeline:
    """Noise (1, 4C, h/2, w/2) in the text encoder's dtype, stepped as tokens in rows.

    Time: t / 1000. Guidance > 1 takes a second row, n + g(p - n), always of the prompt "", but none
    if the pipeline's config says is_distilled. Text: 512 tokens with their padding and without a
    mask; the hidden states 9, 18 and 27 side by side, of the chat template without thinking. mu
    depends on tokens and steps. Latents are normalised by the VAE's batch norm, and only its
    decoder sees (1, C, h, w). Sizes are multiples of 16.
    """
    tokenizer = build_qwen_tokenizer()
    transformer = Flux2Transformer2DModel(
        in_channels=4 * CHANNELS,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * 8,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    return Flux2KleinPipeline(
        tokenizer=tokenizer,
        # the pipeline reads the hidden states 9, 18 and 27
        text_encoder=build_qwen3(tokenizer, num_layers=28, width=8, causal=True),
        transformer=fill(transformer, 21),
        vae=build_flux2_vae(),
        scheduler=build_dynamic_scheduler(shift=3.0),
        is_distilled=False,
    )


def _build_flux(*, schnell: bool = False) -> FluxPipeline:
    """Noise (1, C, h, w) in the text encoder's dtype, then packed: (1, h/2 * w/2, 4C).

    Time: t / 1000. One row; guidance is an input (schnell: none). Text: 512 tokens of T5 with their
    padding and without a mask, and CLIP's pooled output. mu depends on tokens, from 0.5 at 256 to
    1.15 at 4096 (schnell: a shift of 1 instead). Sizes are multiples of 16.
    """
    tokenizer, tokenizer_2 = build_clip_tokenizer(77), build_t5_tokenizer()
    transformer = FluxTransformer2DModel(
        in_channels=4 * CHANNELS,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
        guidance_embeds=not schnell,
    )
    return FluxPipeline(
        tokenizer=tokenizer,
        text_encoder=build_clip(tokenizer),
        tokenizer_2=tokenizer_2,
        text_encoder_2=build_t5(tokenizer_2),
        transformer=fill(transformer, 22),
        vae=build_vae(0.3611, 0.1159),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0)
        if schnell
        else build_dynamic_scheduler(shift=3.0),
    )


def _build_qwen_image() -> QwenImagePipeline:
    """Noise (1, 1, C, h, w) in the text encoder's dtype, then packed: (1, h/2 * w/2, 4C).

    Time: t / 1000. true_cfg_scale > 1 with a negative prompt (also "") takes a second row: the
    sum c = n + g(p - n) gets the norm of p, for each packed token. Text: each at its own length,
    the last hidden state after the first 34 tokens, no mask. Latents: (z - mean) / std for each
    channel. mu depends on tokens; the last sigma is stretched to 0.02. Sizes: multiples of 16.
    """
    tokenizer = build_qwen_tokenizer()
    transformer = QwenImageTransformer2DModel(
        in_channels=4 * CHANNELS,
        out_channels=CHANNELS,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
    )
    return QwenImagePipeline(
        tokenizer=tokenizer,
        text_encoder=build_qwen_vl(tokenizer),
        transformer=fill(transformer, 23),
        vae=build_qwen_vae(),
        scheduler=build_dynamic_scheduler(
            shift=1.0, max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02
        ),
    )


def _build_sd3() -> StableDiffusion3Pipeline:
    """Noise (1, C, h, w) in the text encoder's dtype.

    Time: t. Guidance > 1 takes a second row: n + g(p - n); n of "" by default. Text: 77 tokens of
    both CLIPs side by side, padded with zeros to T5's width, then 256 tokens of T5, no masks;
    pooled: both CLIPs' projections. No sigmas are passed, so the shift of 3 works twice, and mu
    only to a scheduler that shifts by size. Sizes are multiples of 16.
    """
    tokenizer, tokenizer_2 = build_clip_tokenizer(77), build_clip_tokenizer(77, pad_token="!")
    tokenizer_3 = build_t5_tokenizer()
    transformer = SD3Transformer2DModel(
        sample_size=16,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        caption_projection_dim=WIDTH,
        joint_attention_dim=2 * WIDTH + 16,
        pooled_projection_dim=2 * WIDTH,
        pos_embed_max_size=24,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )
    return StableDiffusion3Pipeline(
        tokenizer=tokenizer,
        text_encoder=build_clip(tokenizer, projection=WIDTH),
        tokenizer_2=tokenizer_2,
        text_encoder_2=build_clip(tokenizer_2, projection=WIDTH),
        tokenizer_3=tokenizer_3,
        text_encoder_3=build_t5(tokenizer_3, width=2 * WIDTH + 16),
        transformer=fill(transformer, 24),
        vae=build_vae(1.5305, 0.0609),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def _build_chroma() -> ChromaPipeline:
    """Noise (1, C, h, w) in the text encoder's dtype, then packed: (1, h/2 * w/2, 4C).

    Time: t / 1000. Guidance > 1 takes a second row: n + g(p - n); n of "" by default. Text: 512
    tokens of T5, whose padding T5 masks; the transformer adds a float mask to its scores, 1 for the
    text, one token of padding and the picture, 0 for the rest. mu as FLUX.1's. Sizes are multiples
    of 16. The settings of the real scheduler are not known here.
    """
    tokenizer = build_t5_tokenizer()
    transformer = ChromaTransformer2DModel(
        in_channels=4 * CHANNELS,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
        approximator_num_channels=16,
        approximator_hidden_dim=WIDTH,
        approximator_layers=2,
    )
    return ChromaPipeline(
        tokenizer=tokenizer,
        text_encoder=build_t5(tokenizer),
        transformer=fill(transformer, 25),
        vae=build_vae(0.3611, 0.1159),
        scheduler=build_dynamic_scheduler(shift=3.0),
    )


def _build_sana() -> SanaPipeline:
    """Noise (1, C, h, w) and latents are float32, whatever the model is.

    Time: t * timestep_scale; the scheduler's t are whole numbers. Guidance > 1 takes a second row,
    n + g(p - n) in float32; n of "" by default. Text: in lower case, after an instruction (not the
    negative prompt): the first and the last 299 of its tokens, with a mask. Latents: z * scaling.
    Neither sigmas nor mu. Sizes are multiples of 32, of which `use_resolution_binning` allows few.
    """
    tokenizer = build_gemma_tokenizer()
    transformer = SanaTransformer2DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        num_cross_attention_heads=4,
        cross_attention_head_dim=8,
        cross_attention_dim=WIDTH,
        caption_channels=WIDTH,
        sample_size=32,
    )
    return SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=build_gemma2(tokenizer),
        transformer=fill(transformer, 26),
        vae=build_dc_vae(),
        scheduler=DPMSolverMultistepScheduler(
            beta_schedule="linear",
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=3.0,
        ),
    )


FAMILIES: dict[str, Callable[[], Any]] = {
    "z_image": _build_z_image,
    "flux2": _build_flux2,
    "flux": _build_flux,
    "flux_schnell": lambda: _build_flux(schnell=True),
    "qwen_image": _build_qwen_image,
    "sd3": _build_sd3,
    "chroma": _build_chroma,
    "sana": _build_sana,
}
"""The families' ids, and what builds their pipelines."""
