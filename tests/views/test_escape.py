"""Text from people is shown only as text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.moderation.text import clean_prompt
from bot.views import jobs as job_views
from bot.views.escape import cut, quote
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
        "join Discord.GG/abc, discord.com/invite/abc, discordapp.com/invite/abc",
        NASTY,
    ],
)
def test_quoted_text_has_no_live_markdown_mention_or_link(text: str):
    live = ESCAPED.sub("x", job_views.quote(text, 6000))
    assert not set(live) & set("*_~`|<[]\\")
    assert "://" not in live
    assert not re.search(r"discord.gg/|/invite/", live, re.IGNORECASE)
    assert not re.match(r"[#>+-]", live)
    assert "@everyone" not in live
    assert "@here" not in live
    assert "\n" not in live


@given(st.text(st.characters(), max_size=400).map(clean_prompt))
def test_quoted_text_reads_as_it_was_typed(text: str):
    """Without backslashes and invisible marks, it is the same text."""
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


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("dog in autumn leaves", 20, "dog in autumn leaves"),
        ("dog in autumn leaves", 19, "dog in autumn…"),
        ("dog in autumn leaves", 14, "dog in autumn…"),
        ("dog in autumn leaves", 13, "dog in…"),
        ("dog in autumn, leaves", 17, "dog in autumn…"),
        ("incomprehensibilities", 10, "incompreh…"),
        ("a incomprehensibilities", 12, "a incompreh…"),
    ],
)
def test_cut_shows_whole_words(text: str, limit: int, shown: str):
    assert cut(text, limit) == shown
    assert quote(text, limit) == shown


@given(text=st.text(), limit=st.integers(1, 50))
def test_cut_never_grows_beyond_its_limit(text: str, limit: int):
    assert len(cut(text, limit)) <= limit
