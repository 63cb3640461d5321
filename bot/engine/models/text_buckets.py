"""Pads texts with a mask, so that texts of different lengths share a batch.

Only for families whose mask is exact: a padded text must draw what the text alone draws.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch.nn.functional import pad

from bot.engine.conditioning import Conditioning

BUCKETS = (77, 128, 256, 512, 1024, 1536, 2048)
"""The lengths, in tokens, to which texts are padded. Those with a picture are the longest."""


def pad_texts(
    cond: Conditioning, uncond: Conditioning | None
) -> tuple[Conditioning, Conditioning | None]:
    """Pad "embeds" (tokens, width) of both rows with zeros, to the same length, and add "mask".

    mask: (tokens,), 1 for the tokens of the text and 0 for the padding, in the dtype of "embeds".
    """
    longest = max(each.num_tokens for each in (cond, uncond) if each is not None)
    length = next((bucket for bucket in BUCKETS if bucket >= longest), longest)
    return _pad(cond, length), None if uncond is None else _pad(uncond, length)


def _pad(row: Conditioning, length: int) -> Conditioning:
    embeds, missing = row.tensors["embeds"], length - row.num_tokens
    mask = pad(embeds.new_ones(row.num_tokens), (0, missing))
    return replace(
        row, tensors={**row.tensors, "embeds": pad(embeds, (0, 0, 0, missing)), "mask": mask}
    )


def find_cut_words(tokenizer: Any, template: str, text: str, max_tokens: int) -> str:
    """Return the end of a text that is not read; "" if all of it is.

    template: what the tokenizer gets, with "{}" in the place of the text. max_tokens: how many
    tokens are read from the start of the template.
    """
    start = template.index("{}")
    whole = tokenizer(template.replace("{}", text, 1), return_offsets_mapping=True, verbose=False)
    ends = [end for _, end in whole.offset_mapping]
    if len(ends) <= max_tokens:
        return ""
    return text[max(ends[max_tokens - 1] - start, 0) :].strip()
