"""Rules: what they find, what they allow, and what a file of rules may contain."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import ConfigError
from bot.moderation import PromptPolicy
from bot.moderation.patterns import PatternSet
from bot.moderation.phrases import Hit, list_uncovered
from bot.moderation.readings import Form
from bot.moderation.rules import parse_rules, read_rules, render_rules
from bot.texts.reasons import say


def policy(*rules: Rule) -> PromptPolicy:
    return PromptPolicy(rules=rules)


def word(text: str, action: Outcome = Outcome.REFUSE, *exceptions: str) -> Rule:
    return Rule(RuleKind.WORD, text, action, exceptions)


def pattern(text: str, action: Outcome = Outcome.REFUSE, *exceptions: str) -> Rule:
    return Rule(RuleKind.PATTERN, text, action, exceptions)


def test_word_is_found_whole_and_never_inside_another():
    guard = policy(word("kale"), word("coon"))
    assert guard.judge("a bowl of kale", "").outcome is Outcome.REFUSE
    for prompt in ("kaleidoscope", "Kalevala", "MaineCoon", "raccoon", "cocoon"):
        assert guard.judge(prompt, "").outcome is Outcome.ALLOW


def test_negative_prompt_is_judged_as_well():
    verdict = policy(word("kale")).judge("soup", "no k4le please")
    assert (verdict.outcome, verdict.rule) == (Outcome.REFUSE, "kale")


def test_verdict_names_the_rule_and_how_it_was_read():
    verdict = policy(word("turnip"), word("kale")).judge("a plate of k4le", "")
    assert (verdict.rule, verdict.form) == ("kale", "leetspeak")
    assert "“kale”" in say(verdict.reason)
    assert "Nothing was drawn or charged" in say(verdict.reason)


@pytest.mark.parametrize(
    ("prompt", "outcome"),
    [
        ("kale", Outcome.REFUSE),
        ("kale chips", Outcome.ALLOW),
        ("k4le ch1ps", Outcome.ALLOW),
        ("kale chips beside kale", Outcome.REFUSE),
        ("green turnips", Outcome.HOLD),
        ("turnip greens", Outcome.ALLOW),
        ("turnip greens and turnips", Outcome.HOLD),
    ],
)
def test_exception_beats_its_rule_but_only_where_it_stands(prompt: str, outcome: Outcome):
    guard = policy(
        word("kale", Outcome.REFUSE, "kale chips"),
        pattern(r"turnips?\b", Outcome.HOLD, "turnip greens"),
    )
    assert guard.judge(prompt, "").outcome is outcome


def test_exception_of_one_rule_does_not_excuse_another():
    guard = policy(word("kale", Outcome.REFUSE, "kale chips"), word("chips", Outcome.HOLD))
    assert guard.judge("kale chips", "").outcome is Outcome.HOLD


def test_strictest_action_decides():
    guard = policy(
        word("leek", Outcome.SPOILER), word("kale", Outcome.HOLD), word("yam", Outcome.REFUSE)
    )
    assert guard.judge("leek", "").outcome is Outcome.SPOILER
    assert guard.judge("leek, kale", "").outcome is Outcome.HOLD
    assert guard.judge("leek", "kale and yam").outcome is Outcome.REFUSE
    assert guard.judge("leek", "").is_allowed
    assert not guard.judge("kale", "").is_allowed


def test_held_prompt_has_a_sentence_of_its_own():
    held = say(policy(word("kale", Outcome.HOLD)).judge("kale", "").reason)
    refused = say(policy(word("kale")).judge("kale", "").reason)
    assert held == "The rules here hold prompts with “kale” for a moderator."
    assert "Nothing was drawn or charged" in refused


def test_phrase_is_found_with_its_words_dressed_differently():
    guard = policy(Rule(RuleKind.PHRASE, "very bad thing"))
    for prompt in (
        "VERY bad-thing",
        "v3ry baaaad thing",
        "very (bad:1.3) th1ng",
        "ver\u0443 b\u0430d thing",
    ):
        assert not guard.judge(prompt, "").is_allowed, prompt
    assert guard.judge("a very bad singing thing", "").is_allowed


def test_words_of_other_scripts_are_matched_in_their_own():
    guard = policy(word("репа"), word("Straße"), word("かぶ"))
    assert not guard.judge("свежая РЕПА", "").is_allowed
    assert not guard.judge("a strasse", "").is_allowed
    assert not guard.judge("赤い かぶ", "").is_allowed
    assert guard.judge("pena", "").is_allowed


def test_words_with_symbols_stand_as_written():
    guard = policy(word("c++"), word(".*"))
    assert not guard.judge("i like C++ much", "").is_allowed
    assert not guard.judge("what is .* for", "").is_allowed
    assert guard.judge("vitamin c and anything", "").is_allowed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(?=x)y", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        ("[a", "missing ]"),
        ("a{1001}", "invalid repetition size"),
        (".{0,1000}", "too large"),
    ],
)
def test_pattern_that_re2_refuses_is_refused_with_the_reason(text: str, reason: str):
    with pytest.raises(ConfigError, match=r"cannot be used") as refusal:
        policy(pattern(text))
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    "hostile", [r"(a+)+$", r"(a|aa)+$", r"(a*)*b", r"(.*)(.*)(.*)(.*)x", r"([a-z]?){170}z"]
)
def test_no_pattern_and_no_text_can_stall_it(hostile: str):
    guard = policy(pattern(hostile))
    started = time.thread_time()
    guard.judge("a" * 6000 + "!", "")
    # Python's own ``re`` would need longer than a lifetime
    assert time.thread_time() - started < 1.0


@pytest.mark.parametrize(
    "text",
    [
        "a" * 6000,
        "a." * 3000,
        "a*" * 3000,
        ":1" + "1" * 5998,
        "&#" + "1" * 5998,
        "a" + "!" * 5999,
        "(" * 6000,
        "c a r " * 1000,
        "\u0301" * 6000,
        "@$!|" * 1500,
    ],
)
def test_no_text_can_stall_the_readings(text: str):
    guard = policy(word("carrot"), word("kale"))
    started = time.thread_time()
    guard.judge(text, text)
    assert time.thread_time() - started < 0.5


def test_pattern_set_that_gives_up_for_lack_of_memory_still_finds():
    class GivesUp:
        def Match(self, text: str) -> None:  # noqa: N802 - RE2's name
            return None

    patterns = PatternSet(["leek", "kale", "yam"])
    [group] = patterns._groups
    group.together = GivesUp()
    assert list(patterns.find("kale and yam")) == [1, 2]


def test_patterns_are_searched_in_parts_and_keep_their_numbers():
    texts = [f"x{number}y" for number in range(200)]
    texts[50] = "(?:a?){300}!"  # too large to be searched together with others
    patterns = PatternSet(texts)
    assert len(patterns._groups) > 3
    assert list(patterns.find("x0y x51y x199y !")) == [0, 50, 51, 199]


def test_rules_survive_export_and_import():
    rules = (
        word("kale", Outcome.HOLD, "kale chips"),
        Rule(RuleKind.PHRASE, "sehr böse", Outcome.SPOILER),
        pattern(r"tur+nips?"),
    )
    assert parse_rules(render_rules(rules)) == rules


@given(
    st.lists(
        st.builds(
            Rule,
            st.sampled_from([RuleKind.WORD, RuleKind.PHRASE]),
            st.from_regex(r"[a-zäß]{1,9}( [a-z]{1,5})?", fullmatch=True),
            st.sampled_from([Outcome.REFUSE, Outcome.HOLD, Outcome.SPOILER]),
            st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), max_size=2).map(tuple),
        ),
        max_size=5,
    )
)
def test_any_rules_survive_export_and_import(rules: list[Rule]):
    assert parse_rules(render_rules(rules)) == tuple(rules)


def test_file_with_faults_lists_them_all():
    faulty = [
        {"kind": "word"},
        {"kind": "regex", "text": "x"},
        {"kind": "word", "text": "kale", "action": "allow"},
        {"kind": "pattern", "text": "(?=x)"},
        {"kind": "word", "text": "kale", "exceptions": "chips"},
        {"kind": "word", "text": "kale", "colour": "green"},
        "kale",
        {"kind": "word", "text": "fine"},
    ]
    with pytest.raises(ConfigError) as refusal:
        parse_rules(json.dumps({"rules": faulty}))
    lines = str(refusal.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [f"rule {n}" for n in range(1, 8)]


@pytest.mark.parametrize("text", ["", "[]", '{"rules": {}}', "{", "[" * 100_000, '{"rule": []}'])
def test_what_is_no_file_of_rules_is_refused(text: str):
    with pytest.raises(ConfigError):
        parse_rules(text)


def test_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"rules\.json"):
        read_rules(tmp_path / "rules.json")


_HITS = st.lists(
    st.builds(
        lambda start, size: Hit(0, Form.PLAIN, start, start + size),
        st.integers(0, 8),
        st.integers(1, 5),
    )
)


@given(_HITS, _HITS)
def test_hit_is_uncovered_if_it_lies_within_no_single_cover(hits: list[Hit], covers: list[Hit]):
    expected = [hit for hit in hits if not any(map(hit.lies_within, covers))]
    assert list(list_uncovered(hits, covers)) == expected
