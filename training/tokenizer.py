"""A byte-level BPE for the words of the captions, in the form that CLIPTokenizer reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from training.captions import compose_caption, draw_spec
from training.config import Config
from training.draws import python_random

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def _train(captions: Iterable[str], size: int, alphabet: list[str]) -> dict:
    bpe = Tokenizer(
        models.BPE(continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token=END)
    )
    bpe.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[BEGIN, END],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        min_frequency=2,
        show_progress=False,
    )
    bpe.train_from_iterator(captions, trainer)
    return json.loads(bpe.to_str())["model"]


def train_tokenizer(config: Config, seed: int, folder: Path, count: int) -> CLIPTokenizer:
    chance = python_random(seed, "tokenizer")
    captions = (compose_caption(draw_spec(config, chance), config, chance) for _ in range(count))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    model = _train(captions, config.vocabulary_size, alphabet)
    known = [word for word in sorted(model["vocab"], key=model["vocab"].get) if word[:2] != "<|"]
    # CLIP ends words with </w>, so every byte needs both forms. The two special tokens come last.
    missing = [b + end for b in alphabet for end in ("", "</w>") if b + end not in model["vocab"]]
    vocabulary = {word: i for i, word in enumerate((*known, *missing, BEGIN, END))}
    merges = [tuple(m if isinstance(m, list) else m.split(" ")) for m in model["merges"]]
    tokenizer = CLIPTokenizer(
        vocab=vocabulary,
        merges=merges,
        bos_token=BEGIN,
        eos_token=END,
        unk_token=END,
        pad_token=END,
        model_max_length=config.text_tokens,
    )
    save_tokenizer(tokenizer, folder)
    return tokenizer


def save_tokenizer(tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Save it with the two older files, which transformers 5 does not write but others need."""
    tokenizer.save_pretrained(folder)
    stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (folder / "vocab.json").write_text(
        json.dumps(stored["vocab"], ensure_ascii=False), encoding="utf-8"
    )
    merges = [m if isinstance(m, str) else " ".join(m) for m in stored["merges"]]
    (folder / "merges.txt").write_text("\n".join(("#version: 0.2", *merges, "")), encoding="utf-8")
