"""Stable Diffusion 1.x at full size with random weights: for speed, not for pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

UNET: dict[str, Any] = {
    "sample_size": 64,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "block_out_channels": (320, 640, 1280, 1280),
}
"""Together with the class's own defaults: the configuration of CompVis/stable-diffusion-v1-4."""

VAE: dict[str, Any] = {
    "sample_size": 512,
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
_SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def build_sd1_random(folder: Path) -> Path:
    """Write the model as a float16 diffusers folder (about 2 GB) and return the folder."""
    torch.manual_seed(0)
    text = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    parts: dict[str, Any] = {
        "vae": AutoencoderKL(**VAE),
        "text_encoder": CLIPTextModel(text),
        "tokenizer": _build_tokenizer(),
        "unet": UNet2DConditionModel(**UNET),
        "scheduler": PNDMScheduler(**_SCHEDULE, skip_prk_steps=True, steps_offset=1),
        "safety_checker": None,
        "feature_extractor": None,
    }
    pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.to(torch.float16)
    pipe.save_pretrained(folder, safe_serialization=True, variant="fp16")
    return folder


def _build_tokenizer() -> CLIPTokenizer:
    """Build a tokenizer with one token per letter. With random weights, words mean nothing."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=77)
