"""Small networks of the real classes, with random weights: text encoders, VAEs, schedulers."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
)
from transformers import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

from tests.tiny_models import make_clip_config

WIDTH = 32
"""Width of the transformers, and of most text encoders."""

CHANNELS = 4
"""Channels of a VAE's latents."""


def fill(module: Any, seed: int) -> Any:
    """Give a network random weights. None is zero, whatever its class starts with.

    Matrices keep the size of what they multiply; scales of norms are near 1, and biases near 0.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, each in module.named_parameters():
        noise = torch.randn(each.shape, generator=generator)
        if each.dim() > 1:
            each.data = noise / (each[0].numel() ** 0.5)
        else:
            each.data = 0.1 * noise + (1.0 if name.endswith("weight") else 0.0)
    for name, each in module.named_buffers():
        if name.endswith("running_mean"):
            each.copy_(0.3 * torch.randn(each.shape, generator=generator))
        elif name.endswith("running_var"):
            each.copy_(0.5 + torch.rand(each.shape, generator=generator))
    return module.eval()


def build_clip(tokenizer: Any, *, projection: int | None = None) -> Any:
    """Build a CLIP text model. projection: the width of its projected output, if it has one."""
    config = make_clip_config(tokenizer)
    if projection is None:
        return fill(CLIPTextModel(config), 1)
    config.update({"projection_dim": projection})
    return fill(CLIPTextModelWithProjection(config), 2)


def build_t5(tokenizer: Any, *, width: int = WIDTH) -> T5EncoderModel:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=8,
        d_ff=2 * width,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        pad_token_id=0,
        eos_token_id=1,
    )
    return fill(T5EncoderModel(config), 3)


def build_qwen3(
    tokenizer: Any, *, num_layers: int = 3, width: int = WIDTH, causal: bool = False
) -> Any:
    """Build a Qwen3 text model. causal: with a language model's head, as FLUX.2 has it."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=num_layers,
        num_attention_heads=width // 8,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return fill(Qwen3ForCausalLM(config) if causal else Qwen3Model(config), 4)


def build_qwen_vl(tokenizer: Any) -> Qwen2_5_VLForConditionalGeneration:
    """Build a Qwen2.5-VL model. It has one layer for pictures, if the tokenizer knows them."""
    known = tokenizer.get_vocab()
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default"},
            "rope_theta": 1000000.0,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
        },
        **{
            f"{name}_token_id": known[token]
            for name, token in _PICTURE_TOKENS.items()
            if token in known
        },
    )
    return fill(Qwen2_5_VLForConditionalGeneration(config), 5)


def build_gemma2(tokenizer: Any) -> Gemma2Model:
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=4096,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return fill(Gemma2Model(config), 6)


def build_vae(scaling_factor: float, shift_factor: float) -> AutoencoderKL:
    """Build a VAE that makes one latent of 8 x 8 pixels, in the form of FLUX.1's and SD3's."""
    vae = AutoencoderKL(
        **_KL,
        scaling_factor=scaling_factor,
        shift_factor=shift_factor,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
    )
    return fill(vae, 7)


def build_flux2_vae() -> AutoencoderKLFlux2:
    """Build a VAE whose latents are normalised by the statistics of a batch norm."""
    return fill(AutoencoderKLFlux2(**_KL), 8)


def build_qwen_vae() -> AutoencoderKLQwenImage:
    vae = AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=CHANNELS,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        latents_mean=[-0.7571, -0.7089, 0.1075, 0.9653],
        latents_std=[2.8184, 1.4541, 2.3275, 1.2196],
    )
    fill(vae, 9).decoder.conv_out.weight.data *= 5  # or its pictures are nearly grey
    return vae


def build_dc_vae() -> AutoencoderDC:
    """Build a VAE that makes one latent of 32 x 32 pixels, as Sana's."""
    widths = (4, 4, 4, 8, 8, 8)
    kinds = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    scales = ((),) * 3 + ((5,),) * 3
    vae = AutoencoderDC(
        latent_channels=CHANNELS,
        attention_head_dim=4,
        encoder_block_types=kinds,
        decoder_block_types=kinds,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6,
        encoder_qkv_multiscales=scales,
        decoder_qkv_multiscales=scales,
        upsample_block_type="interpolate",
        downsample_block_type="conv",
        scaling_factor=0.41407,
    )
    return fill(vae, 10)


def build_dynamic_scheduler(**settings: Any) -> FlowMatchEulerDiscreteScheduler:
    """Build a scheduler whose shift depends on the number of image tokens."""
    return FlowMatchEulerDiscreteScheduler(
        **{"max_shift": 1.15, "max_image_seq_len": 4096, **settings}, use_dynamic_shifting=True
    )


_PICTURE_TOKENS = {
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
}

_KL: dict[str, Any] = {
    "block_out_channels": (8, 8, 8, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": CHANNELS,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "sample_size": 64,
}
