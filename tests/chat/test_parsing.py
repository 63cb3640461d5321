"""Sizes, seeds and numbers are read as people type them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.parsing import parse_seed, parse_size
from bot.errors import UserError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ("512x768", (512, 768)),
        (" 512 × 768 ", (512, 768)),
        ("512*768", (512, 768)),
        ("512, 768", (512, 768)),
        ("512X768", (512, 768)),
        ("512\u0445768", (512, 768)),  # a Cyrillic letter
        ("512x768 (portrait)", (512, 768)),  # a suggestion of the command, unchanged
        ("Square ", (64, 64)),
        ("0x0", (0, 0)),
        ("99999x1", (99999, 1)),
    ],
)
def test_size_is_read_as_people_write_it(text: str | None, size: tuple[int | None, int | None]):
    assert parse_size(text, {"square": "64x64"}) == size


@pytest.mark.parametrize(
    "text", ["huge", "512", "x512", "-5x5", "1.5x2", "100000x5", "5x5x5", "square", "5x5 (7)"]
)
def test_what_is_no_size_is_a_sentence(text: str):
    with pytest.raises(UserError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seed"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("7", 7),
        (" +7 ", 7),
        ("-1", None),  # random, as in other programs
        ("-2", -2),
        ("9" * 40, 10**40 - 1),
    ],
)
def test_seed_is_a_whole_number(text: str | None, seed: int | None):
    assert parse_seed(text) == seed


@pytest.mark.parametrize("text", ["seven", "1.5", "0x10", "1_000", "٣", "9" * 41, "1e9", "--1"])
def test_what_is_no_seed_is_a_sentence(text: str):
    with pytest.raises(UserError, match="is not a seed"):
        parse_seed(text)


@given(st.text(st.characters(), max_size=6000))
def test_any_text_is_a_value_or_a_short_clean_sentence(text: str):
    for parse in (parse_size, parse_seed):
        try:
            parse(text)
        except UserError as error:
            assert len(str(error)) < 400
            str(error).encode("utf-8")
            assert not re.search(r"[\x00-\x09\x0b-\x1f\u202a-\u202e]", str(error))
