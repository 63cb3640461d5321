"""Turns text into the embeddings of a CLIP text encoder, even if the text is too long for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.modeling_utils import get_parameter_device

from bot.engine.api import count_chunks
from bot.errors import GenerationRejected
from bot.texts.codes import Code
from bot.texts.reasons import because

_USUAL = (
    "a market on the moon with paper lanterns a sleeping fox under old trees heavy rain soft "
    "morning light very detailed"
)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedText:
    """The embeddings of one text. embeds: (77·n, width) for a text of n chunks.

    pooled: (width,), one vector for the whole text, from its first chunk; None for an encoder
    without projection. cut_words: the end of the text, if it was too long; else "".
    """

    embeds: torch.Tensor
    pooled: torch.Tensor | None
    cut_words: str = ""


class PromptEncoder:
    """One tokenizer and its text encoder.

    penultimate: use the output of the last layer but one, without the final norm, as SDXL does.
    Otherwise use that of the last layer, with the norm.
    """

    def __init__(self, tokenizer: Any, text_encoder: Any, *, penultimate: bool = False) -> None:
        self._tokenizer = tokenizer
        self._text_encoder = text_encoder
        self._penultimate = penultimate
        self.max_tokens: int = min(
            tokenizer.model_max_length, text_encoder.config.max_position_embeddings
        )
        self.width: int = text_encoder.config.hidden_size
        self.max_clip_skip: int = text_encoder.config.num_hidden_layers - 1
        self._max_chunks = count_chunks(self.max_tokens)

    def encode(self, text: str, clip_skip: int | None = None) -> EncodedText:
        """Encode a text. If it fits into one chunk, the result is that of diffusers'
        ``encode_prompt``. A longer text is cut between words into chunks, and their embeddings are
        joined. clip_skip: how many of the last layers are left out. Raises GenerationRejected.
        """
        if clip_skip is not None and clip_skip > self.max_clip_skip:
            bounds = {"least": 0, "most": self.max_clip_skip}
            raise GenerationRejected(because(Code.OUT_OF_RANGE, parameter="clip_skip", **bounds))
        chunks, cut_words = self._split(text)
        ids = torch.tensor(chunks, device=get_parameter_device(self._text_encoder))
        embeds, pooled = self._run(ids, clip_skip)
        return EncodedText(embeds.flatten(0, 1), pooled, cut_words)

    def _split(self, text: str) -> tuple[list[list[int]], str]:
        """Return each chunk's ids with start, end and padding, and the words that were cut off."""
        tokenizer, room = self._tokenizer, self.max_tokens - 2
        whole = tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids = whole.input_ids
        chunks, start = [], 0
        while (start < len(ids) or not chunks) and len(chunks) < self._max_chunks:
            end = self._find_end(ids, start, is_last=len(chunks) + 1 == self._max_chunks)
            padding = [tokenizer.pad_token_id] * (room - (end - start))
            chunk = [tokenizer.bos_token_id, *ids[start:end], tokenizer.eos_token_id, *padding]
            chunks.append(chunk)
            start = end
        cut = text[whole.offset_mapping[start][0] :].strip() if start < len(ids) else ""
        return chunks, cut

    def _find_end(self, ids: list[int], start: int, *, is_last: bool) -> int:
        """Return the end of a chunk: after a whole word, unless the text is cut here anyway."""
        full = start + self.max_tokens - 2
        if len(ids) <= full or is_last:
            return min(len(ids), full)
        tokens = self._tokenizer.convert_ids_to_tokens(ids[start:full])
        ends = [n for n, token in enumerate(tokens, start + 1) if token.endswith("</w>")]
        return ends[-1] if ends else full

    def _run(self, ids: Any, clip_skip: int | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        encoder = self._text_encoder
        mask = None
        if getattr(encoder.config, "use_attention_mask", None):
            ends = (ids == self._tokenizer.eos_token_id).int().argmax(dim=1, keepdim=True)
            mask = (torch.arange(ids.shape[1], device=ids.device) <= ends).long()
        if clip_skip is None and not self._penultimate:
            return encoder(ids, attention_mask=mask)[0].to(encoder.dtype), None
        output = encoder(ids, attention_mask=mask, output_hidden_states=True)
        embeds = output.hidden_states[-1 - self._penultimate - (clip_skip or 0)]
        if not self._penultimate:
            # transformers 5.6 removed the attribute ``text_model``: huggingface/diffusers#14043
            embeds = getattr(encoder, "text_model", encoder).final_layer_norm(embeds)
        pooled = output[0][0] if output[0].ndim == 2 else None
        return embeds.to(encoder.dtype), pooled


def measure_letters(tokenizer: Any) -> float:
    """Return how many letters of a usual English text the tokenizer takes for one token."""
    ids = [tokenizer(word, add_special_tokens=False).input_ids for word in _USUAL.split()]
    return sum(map(len, _USUAL.split())) / max(sum(map(len, ids)), 1)
