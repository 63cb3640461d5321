"""What the cogs make of what was typed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.buttons import JobButton
from bot.cogs.imagine import list_sizes, parse_seed, parse_size
from bot.errors import UserError
from tests.fakes.engine import INFO


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, (None, None)),
        ("", (None, None)),
        ("512x768", (512, 768)),
        (" 512 × 768 ", (512, 768)),
        ("512*768", (512, 768)),
        ("512, 768", (512, 768)),
        ("0x0", (0, 0)),
        ("99999x1", (99999, 1)),
    ],
)
def test_size_is_read_as_people_write_it(text: str | None, size: tuple[int | None, int | None]):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["huge", "512", "x512", "-5x5", "1.5x2", "100000x5", "5x5x5"])
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
        ("-1", -1),
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


def test_sizes_offered_can_all_be_drawn():
    info = replace(INFO, width=512, height=512, size_multiple=64)
    sizes = list_sizes(info, 1024)
    assert sizes == [("square", "512x512"), ("portrait", "512x768"), ("landscape", "768x512")]
    assert list_sizes(info, 512) == [("square", "512x512")]


def test_button_says_all_it_knows_in_its_custom_id():
    button = JobButton("cancel", 2**63 - 1, 3, label="Cancel")
    custom_id = button.item.custom_id
    assert custom_id == "v1:cancel:9223372036854775807:3"
    match = re.fullmatch(JobButton.__discord_ui_compiled_template__, custom_id)
    assert match is not None
    assert (match["action"], match["job_id"], match["panel"]) == ("cancel", str(2**63 - 1), "3")


@pytest.mark.parametrize(
    "custom_id", ["v1:cancel:x:0", "v2:cancel:1:0", "v1:cancel:1:4", "v1::1:0"]
)
def test_other_custom_ids_are_nobodys_button(custom_id: str):
    assert not re.fullmatch(JobButton.__discord_ui_compiled_template__, custom_id)
