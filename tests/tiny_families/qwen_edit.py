"""Tiny models of Qwen-Image-Edit: Qwen-Image with a text encoder that sees the picture."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    QwenImageEditPipeline,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from transformers import ProcessorMixin, Qwen2VLImageProcessorPil, Qwen2VLProcessor

from tests.tiny_families.parts import (
    CHANNELS,
    WIDTH,
    build_dynamic_scheduler,
    build_qwen_vae,
    build_qwen_vl,
    fill,
)
from tests.tiny_families.tokenizers import build_qwen_tokenizer

_PREFIX = """system
Describe the key features of the input image (color, shape, size, texture, objects, background), \
then explain how the user's text instruction should alter or modify the image. Generate a new \
image that meets the user's requirements while maintaining consistency with the original input \
where appropriate.
user
"""
"""The pipeline drops these 64 tokens, so each of these words has to be one token."""


class SeeingProcessor(Qwen2VLProcessor):
    """The real class without videos, for which transformers needs torchvision."""

    def __init__(self, image_processor: Any = None, tokenizer: Any = None) -> None:
        for kind in ("image", "video"):
            token = f"<|{kind}_pad|>"
            setattr(self, f"{kind}_token", token)
            setattr(self, f"{kind}_token_id", tokenizer.convert_tokens_to_ids(token))
        ProcessorMixin.__init__(self, image_processor, tokenizer)


def write_editor(kind: Any, folder: Path, *, zero_cond_t: bool = False) -> None:
    """Write a model of a pipeline class.

    As Qwen-Image, but the picture's latents follow the noise as further tokens of the network, and
    the text encoder sees the picture beside prompt and negative prompt. The picture gets about
    1024 x 1024 pixels for the VAE, and as many (Plus: 384 x 384) for the text encoder. zero_cond_t:
    the picture's tokens are modulated as at time 0.
    """
    tokenizer = build_qwen_tokenizer(_PREFIX)
    transformer = QwenImageTransformer2DModel(
        in_channels=4 * CHANNELS,
        out_channels=CHANNELS,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        axes_dims_rope=(4, 6, 6),
        zero_cond_t=zero_cond_t,
    )
    pipe = kind(
        tokenizer=tokenizer,
        processor=None,
        text_encoder=build_qwen_vl(tokenizer),
        transformer=fill(transformer, 27),
        vae=build_qwen_vae(),
        scheduler=build_dynamic_scheduler(
            shift=1.0, max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02
        ),
    )
    pipe.save_pretrained(folder)
    Qwen2VLImageProcessorPil(max_pixels=28 * 28 * 1280).save_pretrained(folder / "processor")
    tokenizer.save_pretrained(folder / "processor")
    index = folder / "model_index.json"
    named = {"processor": ["transformers", "Qwen2VLProcessor"]}
    index.write_text(json.dumps(json.loads(index.read_text()) | named))


def load_processor(folder: Path) -> SeeingProcessor:
    look = Qwen2VLImageProcessorPil.from_pretrained(folder / "processor")
    return SeeingProcessor(look, build_qwen_tokenizer(_PREFIX))


def tell_pictures_apart(encoder: Any) -> None:
    """Tell a text encoder which tokens are pictures, as the pipelines forget to do.

    https://github.com/huggingface/diffusers/issues/14194
    """
    forward = encoder.forward

    def see(input_ids: torch.Tensor, **inputs: Any) -> Any:
        types = (input_ids == encoder.config.image_token_id).int()
        return forward(input_ids=input_ids, mm_token_type_ids=types, **inputs)

    encoder.forward = see


EDITORS = {
    "qwen_image_edit": partial(write_editor, QwenImageEditPipeline),
    "qwen_image_edit_plus": partial(write_editor, QwenImageEditPlusPipeline),
    "qwen_image_edit_2511": partial(write_editor, QwenImageEditPlusPipeline, zero_cond_t=True),
}
"""Models that only edit, and what writes their folders."""
