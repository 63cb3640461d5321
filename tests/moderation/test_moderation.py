"""Disguises that the rules see through, and harmless texts that they allow."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.moderation import PromptPolicy
from bot.moderation.text import clean_prompt, normalise
from bot.texts.reasons import say

BLOCKED = PromptPolicy(["coon", "gore", "very bad thing", "Straße", "c++"])


@pytest.mark.parametrize(
    "prompt",
    [
        "gore",
        "GoRe!",
        "some gore, please",
        "“gore”",
        "_gore_ and *gore*",
        "g\u200bo\u200dr\u2060e",  # zero width
        "g\u00adore",  # soft hyphen
        "\uff47\uff4f\uff52\uff45",  # fullwidth
        "\U0001d420\U0001d428\U0001d42b\U0001d41e \U0001d4f0ore",  # mathematical
        "g\u0336o\u0336r\u0336e\u0336",  # struck through
        "gör\u0308é",  # accents
        "g\u20ddore",  # enclosing circle
        "ⓖⓞⓡⓔ",
        "g\u3164o\u115fre",  # Hangul fillers
        "g\ufe0fore",  # variation selector
        "g\u202eore",  # direction override
        "VERY  bad\tthing",
        "a strasse",
        "i like c++ much",
    ],
)
def test_blocked_word_is_found_however_it_is_dressed(prompt: str):
    for cleaned in (prompt, clean_prompt(prompt)):
        assert not BLOCKED.judge(cleaned, "").is_allowed
        assert not BLOCKED.judge("dog", cleaned).is_allowed


@pytest.mark.parametrize(
    "prompt",
    [
        "MaineCoon",
        "raccoon",
        "gorethorn",
        "category",
        "a very bad singing thing",
        "go re",
        "",
        "dog in autumn leaves",
    ],
)
def test_word_inside_another_word_is_left_alone(prompt: str):
    assert BLOCKED.judge(prompt, prompt).is_allowed


def test_maine_coon_is_refused_only_where_the_word_stands_alone():
    assert not BLOCKED.judge("Maine coon", "").is_allowed
    assert BLOCKED.judge("Mainecoon", "").is_allowed


def test_refusal_names_the_word_and_says_that_nothing_was_charged():
    verdict = BLOCKED.judge("a g\u200bore scene", "")
    assert "“gore”" in say(verdict.reason)
    assert "Nothing was drawn or charged" in say(verdict.reason)


def test_without_blocked_words_everything_is_allowed():
    for words in ([], ["", "  ", "\u200b"]):
        assert PromptPolicy(words).judge("gore", "gore").is_allowed


@pytest.mark.parametrize("word", [".*", "a|b", "(", "[x", "\\d"])
def test_blocked_word_is_text_and_no_pattern(word: str):
    policy = PromptPolicy([word])
    assert policy.judge("aaa b 5 (", "").is_allowed is (word != "(")


@given(st.text(st.characters()))
def test_any_text_can_be_judged(text: str):
    BLOCKED.judge(text, text)
    PromptPolicy([text]).judge(text, "")


@given(st.text(st.characters()))
def test_cleaned_text_stays_as_it_is_when_cleaned_again(text: str):
    once = clean_prompt(text)
    assert clean_prompt(once) == once
    assert len(once) <= len(text)
    once.encode("utf-8")
    assert not {unicodedata.category(char) for char in once} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(once) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text(st.characters()))
def test_normal_form_has_nothing_invisible(text: str):
    form = normalise(text)
    assert form == form.strip()
    assert "\u200b" not in form
    assert "  " not in form


@given(st.text(st.sampled_from("a\u0301\u0302\u20dd\u200d\u0489"), max_size=60))
def test_no_letter_keeps_a_tower_of_marks(text: str):
    marks = 0
    for char in clean_prompt(text):
        if char == "a":
            marks = 0
        elif char != "\u200d":
            marks += 1
            assert marks <= 3
