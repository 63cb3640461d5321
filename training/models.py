"""The shapes of the networks, and how to start them from a smaller, earlier model."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.config import Config
from training.painters import PIXELS

WEIGHTS = ("diffusion_pytorch_model.safetensors", "model.safetensors")


def build_vae(config: Config) -> AutoencoderKL:
    depth = len(config.vae_channels)
    vae = AutoencoderKL(
        block_out_channels=config.vae_channels,
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        latent_channels=config.latent_channels,
        layers_per_block=1,
        norm_num_groups=config.vae_groups,  # at least 8 channels per group, or colour is lost
        sample_size=PIXELS,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            torch.nn.init.zeros_(module.conv2.weight)
            torch.nn.init.zeros_(module.conv2.bias)
    return vae.to(memory_format=torch.channels_last)


def build_unet(config: Config) -> UNet2DConditionModel:
    depth = len(config.unet_channels)
    unet = UNet2DConditionModel(
        sample_size=PIXELS // 16,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        block_out_channels=config.unet_channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * (depth - 1) + ("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",) + ("UpBlock2D",) * (depth - 1),
        mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=config.text_width,
        attention_head_dim=32,
        norm_num_groups=16,
        addition_embed_type="text",  # the pooled prompt reaches every block, besides attention
        addition_embed_type_num_heads=5,
    )
    return unet.to(memory_format=torch.channels_last)


def build_text_encoder(config: Config, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.text_width,
            intermediate_size=3 * config.text_width,
            projection_dim=config.text_width,
            num_hidden_layers=2,
            num_attention_heads=5,
            max_position_embeddings=config.text_tokens,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id,
        )
    )


def build_scheduler() -> DDIMScheduler:
    """Plain scaled_linear, which works with every sampler of the bot."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=False,
        timestep_spacing="trailing",
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    return tokenizer(
        captions,
        padding="max_length",
        truncation=True,
        max_length=tokenizer.model_max_length,
        return_tensors="pt",
    ).input_ids


@torch.no_grad()
def grow(module: torch.nn.Module, folder: Path) -> None:
    """Start from an earlier model whose tensors may be smaller: old values fill the leading
    corner, and the rest is zero."""
    path = next(folder / name for name in WEIGHTS if (folder / name).is_file())
    old = load_file(path)
    for name, target in module.state_dict().items():
        source = old[name].to(target.dtype)
        corner = tuple(slice(0, side) for side in source.shape)
        target.zero_()
        target[corner] = source
