"""Small tokenizers of the real classes, built from a few sentences instead of a download."""

from __future__ import annotations

import json
import string
from inspect import signature
from typing import Any

from diffusers import SanaPipeline
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import GemmaTokenizer, Qwen2Tokenizer, T5Tokenizer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

_TEXT = """
A dog runs in the autumn leaves. A cat sleeps on a warm stone in the garden. Two boats wait in the
harbour while the sun goes down behind the hills. An old woman paints a red door with a small brush.
The picture shows a castle of glass under a green sky, seen from far away, in soft light, in oil.
A detailed photo of a city street at night with rain, umbrellas and many bright windows.
blurry, low quality, too dark, wrong colors, text, watermark
"""

_QWEN_IMAGE_PREFIX = """system
Describe the image by detailing the color, shape, size, texture, quantity, text, spatial \
relationships of the objects and background:
user
assistant
"""
"""The words that Qwen-Image puts before each prompt. The pipeline drops the first 34 tokens, so
each of these words has to be one token, as it is in the real vocabulary.
"""

_SANA_INSTRUCTION = signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default
"""What Sana puts before each prompt: several hundred tokens, so the vocabulary knows its words."""

_PADS = ("image_pad", "video_pad")

_CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)


def build_qwen_tokenizer(prefix: str | None = None) -> Qwen2Tokenizer:
    """Build a tokenizer as Qwen3 and Qwen2.5-VL have it: byte-level BPE, with a chat template.

    As in Qwen3, the template adds an empty block of thoughts if enable_thinking is False.
    prefix: what a pipeline puts before each text, if not what Qwen-Image does. Such a tokenizer
    also knows pictures.
    """
    split = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    vocab, merges = _train_bpe(
        [_TEXT, *[prefix or _QWEN_IMAGE_PREFIX] * 20],
        pre_tokenizers.Sequence([split, byte_level]),
        alphabet=pre_tokenizers.ByteLevel.alphabet(),
        num_merges=250,
    )
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=merges, model_max_length=131072)
    special = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    if prefix:
        special += [f"<|{name}|>" for name in ("vision_start", "vision_end", *_PADS)]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer


def build_t5_tokenizer(max_tokens: int = 512) -> T5Tokenizer:
    """Build a Unigram tokenizer that ends each text with </s> and pads with <pad>, which is 0."""
    words = sorted({word for word in _TEXT.split() if word.isalpha()})
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    vocab += [(f"▁{word}", -6.0) for word in words]
    vocab += [(each, -8.0) for each in string.printable.strip()]
    return T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=max_tokens)


def build_gemma_tokenizer() -> GemmaTokenizer:
    """Build a BPE tokenizer that starts each text with <bos> and falls back to bytes."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    vocab, merges = _train_bpe(
        [_TEXT.lower(), *_SANA_INSTRUCTION],
        pre_tokenizers.Split("▁", "merged_with_next"),
        alphabet=[*string.printable.strip(), "\n"],
        num_merges=400,
        first=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
        normalizer=normalizers.Replace(" ", "▁"),
    )
    tokenizer = GemmaTokenizer(vocab=vocab, merges=merges, model_max_length=8192)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", vocab["<bos>"])]
    )
    return tokenizer


def _train_bpe(
    texts: list[str],
    pre_tokenizer: Any,
    *,
    alphabet: list[str],
    num_merges: int,
    first: list[str] | None = None,
    normalizer: Any = None,
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Learn merges. first: the tokens with the lowest ids."""
    learner = Tokenizer(BPE())
    if normalizer:
        learner.normalizer = normalizer
    learner.pre_tokenizer = pre_tokenizer
    first = first or []
    trainer = BpeTrainer(
        vocab_size=len(first) + len(alphabet) + num_merges,
        initial_alphabet=alphabet,
        special_tokens=first,
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    model = json.loads(learner.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]
