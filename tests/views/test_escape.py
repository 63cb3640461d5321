"""Text from people shows as text and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.moderation.text import clean_prompt
from bot.views import jobs as job_views
from tests.views.test_jobs import NASTY

ESCAPED = re.compile(r"\\[^0-9A-Za-z\s]")


@pytest.mark.parametrize(
    "text",
    [
        "**bold** __line__ ~~strike~~ *it* _it_ `code` ||spoiler||",
        "[**a link**](http://x.example) and [a](<b>)",
        "```\ncode\n```",
        "# heading",
        "-# small",
        "> quote",
        ">>> quote",
        "- list",
        "* list",
        "+ list",
        "\\*already escaped\\*",
        "<@1> <@!2> <@&3> <#4> </imagine:5> <:dog:6> <t:7:R> <id:guide>",
        "@everyone @here",
        "http://x.example/a_b https://y.example discord://z",
        NASTY,
    ],
)
def test_quoted_text_has_no_live_markdown_mention_or_link(text: str):
    live = ESCAPED.sub("x", job_views.quote(text, 6000))
    assert not set(live) & set("*_~`|<[]\\")
    assert "://" not in live
    assert not re.match(r"[#>+-]", live)
    assert "@everyone" not in live
    assert "@here" not in live
    assert "\n" not in live


@given(st.text(st.characters(), max_size=400).map(clean_prompt))
def test_quoted_text_reads_as_it_was_typed(text: str):
    """Without the backslashes and invisible marks it is the same text."""
    quoted = job_views.quote(text, 1000)
    read = re.sub(r"\\([^0-9A-Za-z\s])", r"\1", quoted)
    marks = {"\u2068", "\u2069", "\u200b"}
    assert [c for c in read if c not in marks] == [c for c in text if c not in marks]


@given(st.text(st.characters() | st.sampled_from("*_`[]()<@>:/#\n"), max_size=700))
def test_quoted_text_never_grows_beyond_twice_the_limit(text: str):
    assert len(job_views.quote(text, 300)) <= 2 * 300 + 2 + 300 // len("@here")


def test_long_text_is_cut_with_an_ellipsis():
    assert job_views.quote("x" * 6000) == "x" * 299 + "…"
    assert job_views.quote("x" * 300) == "x" * 300


def test_right_to_left_text_keeps_its_direction_to_itself():
    assert job_views.quote("שלום") == f"\u2068{'שלום'}\u2069"
    assert job_views.quote("dog") == "dog"
