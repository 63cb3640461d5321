"""Qwen-Image-Edit: its text encoder sees the picture too, so it draws nothing without one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit import (
    QwenImageEditPipeline,
    calculate_dimensions,
)
from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import QwenImageEditPlusPipeline
from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Conditioning
from bot.engine.models.editing import ReferenceEditor
from bot.engine.models.flow import SIZES
from bot.engine.models.qwen_image import NO_NEGATIVE, QwenImage
from bot.engine.models.text_buckets import pad_texts

_PICTURE = "<|image_pad|>"
_PLACEHOLDERS = (_PICTURE, "<|video_pad|>")
"""What stands for pictures and videos in the text. A member's own must not reach the encoder."""


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A picture as the text encoder gets it. Two are equal if size and pixels are the same."""

    size: tuple[int, int]
    digest: bytes
    picture: Image.Image = field(compare=False, repr=False)


class QwenEditor(ReferenceEditor):
    """Brings each picture to about the same area, also a smaller one, as the pipeline does."""

    area = 1024 * 1024
    _family: QwenImageEdit

    def _encode_prompts(
        self, recipe: Recipe, picture: Image.Image
    ) -> tuple[Conditioning, Conditioning | None]:
        return self._family.encode_seen(recipe, picture)

    def _prepare(self, picture: Image.Image) -> torch.Tensor:
        width, height = fit(picture, self.area)
        return self._family.pipe.image_processor.preprocess(picture, height, width)


class QwenImageEdit(QwenImage):
    """See ``ModelFamily``. It can only edit: neither the pipeline nor its training knows prompts
    without a picture. Nothing is cut from an instruction.

    seen_area: about how many pixels the text encoder gets. introduction: stands before the
    instruction in the pipeline's template. The pipeline's processor is not used: transformers 5.24
    cannot build it without torchvision, which is only needed for videos.
    """

    pipeline_class: Any = QwenImageEditPipeline
    without_checker: Mapping[str, Any] = {"processor": None}
    only_edits = True
    max_tokens = 1024
    sizes = SIZES
    seen_area = 1024 * 1024
    introduction = ""

    def __init__(self, pipe: Any, folder: Path) -> None:
        super().__init__(pipe, folder)
        self.editor = QwenEditor(self)
        self._look = Qwen2VLImageProcessorPil.from_pretrained(
            folder / "processor", local_files_only=True
        )

    def encode_seen(
        self, recipe: Recipe, picture: Image.Image
    ) -> tuple[Conditioning, Conditioning | None]:
        """Encode like ``encode``, with a picture that the text encoder sees beside each text."""
        width, height = fit(picture, self.seen_area)
        small = self.pipe.image_processor.resize(picture, height, width)
        seen = SeenPicture(small.size, hashlib.sha256(small.tobytes()).digest(), small)
        cond = self._make_row(recipe, self._encode_text(recipe.drawn_prompt, seen=seen))
        if not self._is_guided(recipe):
            return pad_texts(cond, None)
        negative = recipe.negative_prompt or NO_NEGATIVE
        return pad_texts(cond, self._make_row(recipe, self._encode_text(negative, seen=seen)))

    def _run_encoders(self, text: str, **how: SeenPicture) -> dict[str, torch.Tensor]:
        """Do what the pipeline's ``encode_prompt`` does, and say which tokens are the picture's.

        The pipeline does not say it, and since transformers 5 the text encoder then takes them for
        text: https://github.com/huggingface/diffusers/issues/14194
        """
        pipe = self.pipe
        encoder, device = pipe.text_encoder, pipe._execution_device
        pixels = self._look(how["seen"].picture, return_tensors="pt").to(device)
        num_tokens = int(pixels.image_grid_thw.prod()) // self._look.merge_size**2
        for placeholder in _PLACEHOLDERS:
            text = text.replace(placeholder, " ")
        whole = pipe.prompt_template_encode.format(self.introduction + text)
        whole = whole.replace(_PICTURE, _PICTURE * num_tokens)
        ids = self.tokenizer(whole, return_tensors="pt").input_ids.to(device)
        hidden = encoder(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=(ids == encoder.config.image_token_id).int(),
            **pixels,
            output_hidden_states=True,
            use_cache=False,
            logits_to_keep=1,
        ).hidden_states[-1]
        return {"embeds": hidden[:, pipe.prompt_template_encode_start_idx :]}

    def _find_cut_words(self, text: str, **how: Any) -> str:
        return ""


class QwenImageEditPlus(QwenImageEdit):
    """Qwen-Image-Edit-2509 and 2511. Of their up to three pictures, Triptych sends one."""

    pipeline_class: Any = QwenImageEditPlusPipeline
    seen_area = 384 * 384
    introduction = f"Picture 1: <|vision_start|>{_PICTURE}<|vision_end|>"


def fit(picture: Image.Image, area: int) -> tuple[int, int]:
    """Return a size (width, height) in multiples of 32 with about this area and this shape."""
    width, height, _ = calculate_dimensions(area, picture.width / picture.height)
    return width, height
