"""Numbers as people type them into the forms of /settings."""

from __future__ import annotations

import pytest

from bot.cogs.settings import parse_number
from bot.errors import UserError


@pytest.mark.parametrize(
    ("text", "number"), [(" 48 ", 48), ("0,5", 0.5), ("-3.0", -3), (" ", None)]
)
def test_number_may_have_a_comma_or_be_left_out(text: str, number: float | None):
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["soon", "nan", "inf", "1e300", "1,000,000"])
def test_what_is_no_number_is_refused_in_a_sentence(text: str):
    with pytest.raises(UserError, match=r"is not a number\. Nothing"):
        parse_number(text)
