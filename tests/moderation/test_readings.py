"""Disguises are undone, harmless prompts are allowed, and any text can be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.benign import list_benign_prompts
from benchmarks.evasions import EVASIONS
from benchmarks.hostile import list_hostile
from benchmarks.moderation import TERMS, measure_false_positives, measure_recall
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.moderation import PromptPolicy
from bot.moderation.readings import Form, list_readings
from bot.moderation.text import clean_prompt, fold, fold_lookalikes, normalise

GUARD = PromptPolicy(TERMS)


@pytest.mark.parametrize("kind", EVASIONS)
def test_disguise_is_seen_through(kind: str):
    for term in ("broccoli", "turnip", "wrench"):
        disguised = EVASIONS[kind](term)
        assert GUARD.judge(clean_prompt(f"dog, {disguised} in leaves"), "").rule == term, disguised


@pytest.mark.parametrize(
    ("prompt", "form"),
    [
        ("carrot", Form.PLAIN),
        ("c\u0430rr\u043et", Form.LOOKALIKES),
        ("c a r r o t", Form.JOINED),
        ("car(rot:1.2)", Form.JOINED),
        ("c4rr0t!", Form.LEET),
        ("ca||ot", None),
        ("ʇoɹɹɐɔ", Form.TURNED),
        ("carrrrot", Form.SQUEEZED),
        ("c*rrot", Form.MASKED),
        ("carrot99", Form.TRIMMED),
    ],
)
def test_form_tells_what_was_undone(prompt: str, form: Form | None):
    assert GUARD.judge(prompt, "").form == (form or "")


def test_figures_of_the_benchmark_hold():
    recall = measure_recall()
    assert recall["kinds_of_evasion"] >= 40
    assert recall["terms"] >= 50
    assert recall["recall"] >= 0.97, recall["misses"][:5]
    false_positives = measure_false_positives()
    assert false_positives["benign_prompts"] >= 2000
    assert false_positives["false_positive_rate"] <= 0.002, false_positives["false_positives"]


def test_harmless_prompts_are_all_different():
    prompts = list_benign_prompts()
    assert len(set(prompts)) == len(prompts)


def test_repeats_are_squeezed_only_to_words_that_could_be_meant():
    guard = PromptPolicy(["coon", "hel"])
    assert guard.judge("pros and con", "").is_allowed
    assert guard.judge("hell", "").is_allowed
    assert not guard.judge("cooooon", "").is_allowed
    assert not guard.judge("heeeel", "").is_allowed


@pytest.mark.parametrize("second", ["carrrrot", "carrot99"])
def test_phrase_is_found_if_only_its_second_word_is_disguised(second: str):
    guard = PromptPolicy(rules=[Rule(RuleKind.PHRASE, "big carrot")])
    assert not guard.judge(f"a big {second}", "").is_allowed


def test_numbers_and_sizes_are_no_leetspeak():
    guard = PromptPolicy(["as", "bk", "ed", "to", "ass", "bob"])
    for prompt in ("a5 paper, 8k, 3d, 70 mm", "455 mm", "808 drum", "1:10 scale"):
        assert guard.judge(prompt, "").is_allowed, prompt


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_can_be_judged(prompt: str, negative_prompt: str):
    assert GUARD.judge(prompt, negative_prompt).outcome in set(Outcome)


@pytest.mark.parametrize(("name", "text"), list_hostile(6000).items())
def test_hostile_text_of_full_length_can_be_judged(name: str, text: str):
    assert len(text) == 6000, name
    assert GUARD.judge(text, text).outcome in set(Outcome)


@given(st.text(st.sampled_from("ab1I0éжß日_-.·•🙂|/(:\u0301\u3164 \n")) | st.text(st.characters()))
@example("a-.·|b c 1-.·|/0")
def test_words_are_those_that_a_plain_search_finds(text: str):
    spelled: dict[Form, set[str]] = {Form.LEET: set(), Form.JOINED: set()}
    readings = list_readings(text)
    for reading in readings:
        if not reading.is_spelled and reading.form is not Form.MASKED:
            assert reading.words == re.findall(r"[^\W_]+", reading.text)
            assert reading.distinct == frozenset(reading.words)
            if reading.form is not Form.JOINED:
                form = Form.LEET if reading.form is Form.LEET else Form.JOINED
                runs = r"(?<![^\W_])[^\W_](?:[\W_]{1,4}[^\W_])+(?![^\W_])"
                found = [re.sub(r"[\W_]", "", run) for run in re.findall(runs, reading.text)]
                spelled[form] |= {" ".join(found)} - {""}
    for form, texts in spelled.items():
        assert {each.text for each in readings if each.is_spelled and each.form is form} == texts


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("dog (cat: 1.2 ) owl", ["dog (cat: 1.2 ) owl", "12", "dog cat owl", "dog (cat) owl"]),
        ("(c4t:1.2), dog", ["(c4t:1.2), dog", "12", "c4t, dog", "(cat), dog", "cat, dog"]),
        ("\u200b c4t \u2057", ["c4t ′′′′", "cat ′′′′"]),  # noqa: RUF001
        ("\ufe19 c4t (a", ["... c4t (a", "... cat (a", "... cat a", "ca", "... c4t a"]),
        ("\u00bc\u3000c4t", ["1⁄4 c4t", "1⁄4 cat", "14 c4t", "14 cat", "14"]),  # noqa: RUF001
        ("\u3000a\u3000 b.c.d", ["a b.c.d", "abcd", "a bcd"]),
        ("a, b dog c d", ["a, b dog c d", "ab cd"]),
        ("model a55 c4t", ["model a55 c4t", "model a55 cat"]),
        ("fullmodel a55", ["fullmodel a55"]),
        ("a55 c4t", ["a55 c4t", "ass cat"]),
    ],
)
def test_every_kind_of_chunk_is_put_together_again(text: str, texts: list[str]):
    assert {each.text for each in list_readings(text, latin_only=True)} == set(texts)


@given(st.text(st.characters()))
def test_text_is_read_the_same_way_after_it_was_cleaned(text: str):
    cleaned = clean_prompt(text)
    assert [r.text for r in list_readings(clean_prompt(cleaned))] == [
        r.text for r in list_readings(cleaned)
    ]


@given(st.text(st.characters()))
def test_folding_twice_changes_nothing(text: str):
    once = fold(text)
    assert fold(once) == once
    assert normalise(normalise(text)) == normalise(text)
    latin = fold_lookalikes(once)
    assert fold_lookalikes(latin) == latin


@given(st.text(st.characters()))
def test_no_two_readings_are_the_same(text: str):
    keys = [(r.form is Form.MASKED, r.is_spelled, r.text, r.form) for r in list_readings(text)]
    assert len(set(keys)) == len(keys)


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(EVASIONS)),
    st.sampled_from(["carrot", "pumpkin", "shovel", "broccoli"]),
    st.from_regex(r"[dfgjq]{3,8}", fullmatch=True),
    st.from_regex(r"[dfgjq]{3,8}", fullmatch=True),
)
def test_disguise_is_seen_through_whatever_stands_around_it(
    kind: str, term: str, before: str, after: str
):
    prompt = clean_prompt(f"{before} {EVASIONS[kind](term)} {after}")
    assert GUARD.judge(prompt, "").rule == term


@given(st.from_regex(r"[a-z]{4,12}", fullmatch=True))
def test_word_rule_finds_its_own_word(text: str):
    guard = PromptPolicy(rules=[Rule(RuleKind.WORD, text)])
    assert guard.judge(f"a {text.upper()}, please", "").rule == text
    assert guard.judge(f"xq{text}", "").rule != text
