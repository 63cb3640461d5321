"""Tiny models with random weights in the form of Stable Diffusion, made with the real classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

SIDE = 32
"""Native width and height in pixels; the size multiple is 8."""

MAX_TOKENS = 12

SD_SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}

SCHEDULERS: dict[str, Any] = {
    # as in CompVis/stable-diffusion-v1-4
    "pndm": lambda: PNDMScheduler(**SD_SCHEDULE, skip_prk_steps=True, steps_offset=1),
    "ddim": lambda: DDIMScheduler(**SD_SCHEDULE, clip_sample=False, steps_offset=1),
    "euler": lambda: EulerDiscreteScheduler(**SD_SCHEDULE, steps_offset=1),
    "dpm": lambda: DPMSolverMultistepScheduler(**SD_SCHEDULE, steps_offset=1),
    # v-prediction with zero terminal signal-to-noise ratio
    "zero_snr": lambda: DDIMScheduler(
        **SD_SCHEDULE,
        clip_sample=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    ),
    "xl_euler": lambda: EulerDiscreteScheduler(**SD_SCHEDULE, steps_offset=1),
    "xl_zero_snr": lambda: EulerDiscreteScheduler(
        **SD_SCHEDULE,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    ),
    "lcm": lambda: LCMScheduler(**SD_SCHEDULE, clip_sample=False, steps_offset=1),
}


def build_tiny_pipeline(
    scheduler: Any = "pndm",
    *,
    safety_checker: bool = False,
    unet: dict[str, Any] | None = None,
    max_tokens: int = MAX_TOKENS,
    seed: int = 0,
) -> StableDiffusionPipeline:
    """Build a pipeline of about 0.2 million random weights, float32 on the CPU."""
    torch.manual_seed(seed)
    tokenizer = build_clip_tokenizer(max_tokens)
    pipe = StableDiffusionPipeline(
        vae=_build_vae(),
        text_encoder=CLIPTextModel(make_clip_config(tokenizer)).eval(),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(**{**_UNET, **(unet or {})}),
        scheduler=SCHEDULERS[scheduler]() if isinstance(scheduler, str) else scheduler,
        safety_checker=_build_checker() if safety_checker else None,
        feature_extractor=_build_processor() if safety_checker else None,
        requires_safety_checker=safety_checker,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def build_tiny_xl_pipeline(
    scheduler: Any = "xl_euler",
    *,
    unet: dict[str, Any] | None = None,
    max_tokens: int = MAX_TOKENS,
    force_upcast: bool = False,
    force_zeros: bool = True,
) -> StableDiffusionXLPipeline:
    """Build a pipeline of random weights in the shape of Stable Diffusion XL."""
    torch.manual_seed(0)
    tokenizers = build_clip_tokenizer(max_tokens), build_clip_tokenizer(max_tokens, pad_token="!")
    first, second = map(make_clip_config, tokenizers)
    second.update(_SECOND_ENCODER)
    pipe = StableDiffusionXLPipeline(
        vae=_build_vae(force_upcast=force_upcast),
        text_encoder=CLIPTextModel(first).eval(),
        text_encoder_2=CLIPTextModelWithProjection(second).eval(),
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=UNet2DConditionModel(**{**_UNET, **_XL_UNET, **(unet or {})}),
        scheduler=SCHEDULERS[scheduler](),
        force_zeros_for_empty_prompt=force_zeros,
        add_watermarker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def build_tiny_xl_model(folder: Path, scheduler: Any = "xl_euler", **options: Any) -> Path:
    """Write a tiny model in the shape of Stable Diffusion XL and return its folder."""
    pipe = build_tiny_xl_pipeline(scheduler, **options)
    pipe.save_pretrained(folder, safe_serialization=True)
    return folder


def build_tiny_model(
    folder: Path, scheduler: Any = "pndm", *, variant: str | None = None, **options: Any
) -> Path:
    """Write a tiny model as a diffusers folder and return the folder."""
    pipe = build_tiny_pipeline(scheduler, **options)
    pipe.save_pretrained(folder, safe_serialization=True, variant=variant)
    return folder


_UNET: dict[str, Any] = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (16, 32, 32),
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "attention_head_dim": 4,
    "cross_attention_dim": 32,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}


_XL_UNET: dict[str, Any] = {
    "cross_attention_dim": 32 + 24,
    "attention_head_dim": (2, 4, 4),
    "transformer_layers_per_block": (1, 2, 1),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 40,
}


_SECOND_ENCODER = {
    "hidden_size": 24,
    "num_attention_heads": 3,
    "num_hidden_layers": 3,
    "projection_dim": 40,
}


def make_clip_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _build_vae(*, force_upcast: bool = True) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=SIDE,
        force_upcast=force_upcast,
    )


def build_clip_tokenizer(max_tokens: int, pad_token: str = "<|endoftext|>") -> CLIPTokenizer:
    letters = "!abcdefghijklmnopqrstuvwxyz,.'"
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges = ["d o", "do g</w>", "h o", "c a", "ca t</w>"]
    words += ["do", "dog</w>", "ho", "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
    vocab = {word: number for number, word in enumerate(words)}
    pairs = [tuple(merge.split()) for merge in merges]
    return CLIPTokenizer(
        vocab=vocab, merges=pairs, model_max_length=max_tokens, pad_token=pad_token
    )


def _build_checker() -> StableDiffusionSafetyChecker:
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
    }
    return StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=32)).eval()


def _build_processor() -> CLIPImageProcessorPil:
    return CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def edit_json(path: Path, **changes: Any) -> None:
    """Change some values of a JSON object in a file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def rename_weights(path: Path, rename: Callable[[str], str | None]) -> None:
    """Rename the weights in a safetensors file; those that get no name are left out."""
    named = {rename(name): value for name, value in load_file(path).items()}
    save_file({name: value for name, value in named.items() if name}, path, {"format": "pt"})
