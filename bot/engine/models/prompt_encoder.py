"""Turns prompts into embeddings, and remembers the latest ones."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from bot.domain.recipes import Recipe
from bot.engine.conditioning import Prompt
from bot.errors import GenerationRejected
from bot.texts.codes import Code
from bot.texts.reasons import because


class PromptEncoder:
    """Encodes one prompt at a time, and the same prompt only once, such as an empty one."""

    def __init__(
        self, tokenizer: Any, text_encoder: Any, max_tokens: int, max_prompts: int = 128
    ) -> None:
        self._tokenizer = tokenizer
        self._text_encoder = text_encoder
        self._max_tokens = max_tokens
        self._encode = lru_cache(max_prompts)(self._encode_text)

    def encode(self, recipe: Recipe) -> tuple[Prompt, Prompt | None]:
        """Return what ``StableDiffusionPipeline.encode_prompt`` returns for a complete recipe.

        That is the prompt and, if guided, the negative prompt. Raises GenerationRejected.
        """
        is_guided = recipe.drawn_guidance_scale > 1
        return (
            self._encode(recipe.drawn_prompt, recipe.clip_skip),
            self._encode(recipe.negative_prompt) if is_guided else None,
        )

    def forget(self) -> None:
        """Drop all prompts and their embeddings."""
        self._encode.cache_clear()

    @property
    def num_kept(self) -> int:
        """Return how many prompts are kept."""
        return self._encode.cache_info().currsize

    def _encode_text(self, text: str, clip_skip: int | None = None) -> Prompt:
        tokenizer, encoder, length = self._tokenizer, self._text_encoder, self._max_tokens
        inputs = tokenizer(
            text, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        mask = None
        if getattr(encoder.config, "use_attention_mask", None):
            mask = inputs.attention_mask.to(encoder.device)
        ids = inputs.input_ids.to(encoder.device)
        if clip_skip is None:
            embeds = encoder(ids, attention_mask=mask)[0]
        else:
            embeds = self._skip_layers(ids, mask, clip_skip)
        whole = tokenizer(text, return_offsets_mapping=True, verbose=False)
        cut_words = ""
        if len(whole.input_ids) > length:
            # The end marker takes the last place, so the token there is the first one cut.
            cut_words = text[whole.offset_mapping[length - 1][0] :].strip()
        return Prompt(embeds[0].to(encoder.dtype), cut_words)

    def _skip_layers(self, ids: Any, mask: Any, clip_skip: int) -> Any:
        encoder = self._text_encoder
        num_layers = encoder.config.num_hidden_layers
        if clip_skip >= num_layers:
            bounds = {"least": 0, "most": num_layers - 1}
            raise GenerationRejected(because(Code.OUT_OF_RANGE, parameter="clip_skip", **bounds))
        states = encoder(ids, attention_mask=mask, output_hidden_states=True).hidden_states
        # transformers 5.6 removed the layer in between: huggingface/diffusers#14043
        whole = getattr(encoder, "text_model", encoder)
        return whole.final_layer_norm(states[-1 - clip_skip])
