"""The cache of encoded texts."""

from __future__ import annotations

import torch

from bot.engine.models.text_cache import EncodedText, TextCache


class Encoder:
    """Makes 8 bytes of each letter, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str, *, is_negative: bool = False) -> EncodedText:
        self.asked.append(f"not {text}" if is_negative else text)
        return EncodedText({"embeds": torch.zeros(len(text), dtype=torch.float64)})


def test_text_that_was_met_before_is_not_encoded_again() -> None:
    encoder = Encoder()
    cache = TextCache(encoder)
    assert cache("dog") is cache("dog")
    assert cache("dog", is_negative=True) is not cache("dog")
    assert encoder.asked == ["dog", "not dog"]


def test_texts_that_were_not_used_for_longest_make_room() -> None:
    encoder = Encoder()
    cache = TextCache(encoder, max_bytes=3 * 8 * 3)
    for text in ("one", "two", "six", "one", "ten", "one", "six", "two"):
        cache(text)
    assert encoder.asked == ["one", "two", "six", "ten", "two"]
    assert len(cache) == 3


def test_text_larger_than_the_cache_is_encoded_and_not_kept() -> None:
    encoder = Encoder()
    cache = TextCache(encoder, max_bytes=16)
    assert cache("dog").num_bytes == 24
    assert len(cache) == 0
    cache("ab")
    assert len(cache) == 1


def test_cleared_cache_has_room_for_all_again() -> None:
    encoder = Encoder()
    cache = TextCache(encoder, max_bytes=24)
    cache("dog")
    cache.clear()
    assert len(cache) == 0
    cache("dog")
    cache("dog")
    assert encoder.asked == ["dog", "dog"]
