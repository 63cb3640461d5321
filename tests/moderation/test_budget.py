"""The cost of rules is measured before they are used, and limited while they are used."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from benchmarks.moderation import make_worst_rules
from bot.chat import automod
from bot.chat.automod import Copied
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.errors import ConfigError, TooCostly
from bot.moderation import PromptPolicy, RuleBook
from bot.moderation import budget as module
from bot.moderation.allowance import Allowance
from bot.moderation.budget import (
    SERVER_BUDGET,
    Weight,
    list_beyond,
    list_faults,
    require_budget,
    weigh,
)
from bot.moderation.patterns import MAX_PATTERN_STEPS, count_steps
from bot.moderation.phrases import PhraseIndex
from bot.moderation.readings import list_readings
from bot.moderation.rules import parse_rules, read_rules
from bot.texts.reasons import say

KALE = Rule(RuleKind.WORD, "kale")


def large(number: int = 0) -> Rule:
    """Make a pattern of about 1,100 steps."""
    return Rule(RuleKind.PATTERN, f"[ab]{{{990 + number}}}c{{110}}")


def file_of(*rules: Rule) -> str:
    return json.dumps({"rules": [{"kind": rule.kind, "text": rule.text} for rule in rules]})


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list of the patterns that were compiled to measure their cost."""
    texts: list[str] = []

    def count(pattern: str) -> int:
        texts.append(pattern)
        return count_steps(pattern)

    count_steps = module.count_steps
    monkeypatch.setattr(module, "count_steps", count)
    return texts


def test_patterns_weigh_their_programs_and_all_rules_their_texts():
    assert weigh(Rule(RuleKind.WORD, "kale", exceptions=("kale chips",))) == Weight(1, 0, 14)
    assert weigh(Rule(RuleKind.WORD, "c++")).steps == 0
    assert 1100 < weigh(large()).steps < 1200


def test_rules_beyond_the_budget_are_refused_with_what_is_used_and_the_most():
    present = [large(number) for number in range(4)]
    used = sum(weigh(rule).steps for rule in present)
    require_budget([KALE], present)
    with pytest.raises(ConfigError) as refusal:
        require_budget([large(4), large(5)], present)
    left = 5000 - used
    assert f"their patterns exceed the {left:,} steps that are left" in str(refusal.value)
    assert f"({used:,} of 5,000 are used)" in str(refusal.value)


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ([Rule(RuleKind.WORD, f"kale{n}") for n in range(2001)], "the limit of 2,000 rules"),
        ([Rule(RuleKind.PHRASE, f"kale {n}" * 100) for n in range(99)], "40,000 characters"),
    ],
)
def test_number_and_length_of_rules_have_a_most(rules: list[Rule], sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        require_budget(rules)


def test_what_is_beyond_the_budget_is_not_even_compiled(compiled: list[str]):
    rules = [large(number % 10) for number in range(100)]
    with pytest.raises(ConfigError):
        require_budget(rules)
    with pytest.raises(ConfigError, match="5,000 steps"):
        parse_rules(file_of(*rules), SERVER_BUDGET)
    assert len(compiled) <= 12


def test_faults_are_told_until_there_are_twenty(compiled: list[str]):
    with pytest.raises(ConfigError) as refusal:
        parse_rules(file_of(*[Rule(RuleKind.PATTERN, "(")] * 100))
    assert len(str(refusal.value).splitlines()) == len(compiled) == 20


@pytest.mark.parametrize("text", ["[ab]{1000}[ab]{900}", r"\pL\pL", "(?:x{1000}){1000}"])
def test_pattern_that_is_too_large_alone_is_refused(text: str):
    with pytest.raises(ConfigError, match="cannot be used"):
        weigh(Rule(RuleKind.PATTERN, text))


def test_small_pattern_that_takes_long_to_compile_is_refused_at_every_try():
    slow = Rule(RuleKind.PATTERN, "a" + r"\PL{0}" * 141)
    for _ in range(2):
        with pytest.raises(ConfigError, match="takes too long to compile"):
            weigh(slow)


def test_compiling_counts_where_it_takes_more_than_the_program_has_steps():
    assert count_steps("yam", iter([1.0, 1.01]).__next__) == 1000
    assert count_steps("yam", iter([1.0, 1.0]).__next__) < 20


def test_owners_file_may_be_larger_and_is_looked_at_when_it_is_read(tmp_path: Path):
    path = tmp_path / "rules.json"
    path.write_text(file_of(*[large()] * 20))
    assert len(read_rules(path)) == 20
    path.write_text(file_of(*[large()] * 60))
    with pytest.raises(ConfigError, match=r"rules\.json cannot be used:\n.*50,000 steps"):
        read_rules(path)


def test_newest_and_largest_are_beyond_the_budget_and_what_fits_is_not():
    rules = [*[large(number) for number in range(6)], Rule(RuleKind.PATTERN, "yam"), KALE]
    assert list_beyond(dict(enumerate(rules, 1))) == (5, 6)


def test_old_rules_that_are_far_too_much_are_not_all_compiled(compiled: list[str]):
    rules = [*[large(number % 10) for number in range(900)], KALE]
    assert list_beyond(dict(enumerate(rules))) == tuple(range(4, 900))
    assert len(compiled) < 100


def test_old_rules_that_take_too_long_to_weigh_are_switched_off_and_the_others_apply():
    rules = [*[large(number) for number in range(3)], KALE]
    clock = itertools.count(1.0, 1.5).__next__
    assert list_beyond(dict(enumerate(rules)), clock=clock) == (1, 2)


def test_rules_of_automod_that_re2_refuses_are_noted_and_the_others_copied():
    bad = Rule(RuleKind.PATTERN, "(?=kale)")
    copied = Copied({KALE: "greens", bad: "greens"})
    copied.drop(list_faults(copied.rules))
    assert list(copied.rules) == [KALE]
    assert copied.notes[0].startswith("“greens”: “(?=kale)”, because the pattern")


def test_lists_of_automod_are_read_once_and_not_for_each_keyword(
    monkeypatch: pytest.MonkeyPatch,
):
    read: list[str] = []

    def normalise(text: str) -> str:
        read.append(text)
        return text

    monkeypatch.setattr(automod, "normalise", normalise)
    trigger = SimpleNamespace(
        type=discord.AutoModRuleTriggerType.keyword,
        keyword_filter=[f"kale{number}" for number in range(100)],
        regex_patterns=[],
        allow_list=[f"leek soup {number}" for number in range(100)],
    )
    rule: Any = SimpleNamespace(
        name="greens",
        enabled=True,
        trigger=trigger,
        actions=[],
        exempt_role_ids=(),
        exempt_channel_ids=(),
    )
    assert len(automod.copy_automod_rules([rule]).rules) == 100
    assert len(read) <= 500


def make_policy(checks: int) -> PromptPolicy:
    """Make a policy in which the rules of servers may check the time limit this many times."""
    return PromptPolicy(
        rules=[Rule(RuleKind.WORD, "leek")],
        allow=lambda: Allowance(checks, itertools.count().__next__),
    )


def test_prompt_for_which_a_servers_rules_take_too_long_is_refused_with_a_sentence():
    own = RuleBook([Rule(RuleKind.PATTERN, f"[ab]{{200}}{n}") for n in range(9)])
    assert make_policy(1000).judge("a dog", "", own).outcome is Outcome.ALLOW
    verdict = make_policy(3).judge("a dog", "", own)
    assert (verdict.outcome, verdict.rule) == (Outcome.REFUSE, "rules that take too long")
    assert "Nothing was drawn or charged" in say(verdict.reason)
    assert make_policy(3).judge("a leek", "", own).rule == "leek"
    explanation = make_policy(3).explain("a dog", own)
    assert explanation.verdict.rule == "rules that take too long"


def test_rules_of_the_owner_may_take_their_time():
    rules = [Rule(RuleKind.PATTERN, f"[ab]{{200}}{n}") for n in range(9)]
    policy = PromptPolicy(rules=rules, allow=lambda: Allowance(3, itertools.count().__next__))
    assert policy.judge("a dog", "").outcome is Outcome.ALLOW


COSTLY = {
    "words": ([Rule(RuleKind.WORD, "a")], "a " * 1000),
    "phrases": ([Rule(RuleKind.PHRASE, f"a b {n}") for n in range(9)], "a b " * 500),
    "exceptions": ([Rule(RuleKind.WORD, "b", exceptions=("a",))], "a " * 1000),
    "excepted words": ([Rule(RuleKind.WORD, "a", exceptions=("a b",))], "a b " * 500),
    "leetspeak": (
        [Rule(RuleKind.WORD, "kill")],
        " ".join(f"k1{letter}l" for letter in "abcdefgh" * 40) + " k1ll" * 500,
    ),
    "masks": ([Rule(RuleKind.WORD, "kale")], "k*le " * 500),
    "spelled": ([Rule(RuleKind.WORD, "kale")], "k a l e " * 400),
    "symbols": ([Rule(RuleKind.WORD, f"c{'+' * n}") for n in range(2, 99)], "c"),
    "patterns": ([Rule(RuleKind.PATTERN, f"[ab]{{300}}{n}") for n in range(50)], "a dog"),
    "excepted patterns": ([Rule(RuleKind.PATTERN, "a", exceptions=("a",))], "a " * 1000),
}


@pytest.mark.parametrize("name", COSTLY)
def test_every_search_asks_again_and_again_whether_it_may_go_on(name: str):
    rules, text = COSTLY[name]
    asked = itertools.count(1)

    def check() -> None:
        if next(asked) > 40:
            raise TooCostly

    with pytest.raises(TooCostly):
        list(RuleBook(rules).find(list_readings(text), check))


@pytest.mark.parametrize("name", make_worst_rules())
def test_rules_that_the_benchmark_calls_the_worst_may_be_had(name: str):
    rules, _ = make_worst_rules()[name]
    require_budget(rules)
    assert all(weigh(rule).steps <= MAX_PATTERN_STEPS for rule in rules)


def test_long_word_has_no_masked_forms():
    assert len(PhraseIndex([("k" + "a" * 12 + "e",)])._masked) == 89
    assert not PhraseIndex([("k" + "a" * 998 + "e",)])._masked


def test_word_with_symbols_is_found_whole_and_excepted_where_it_stands():
    guard = PromptPolicy(rules=[Rule(RuleKind.WORD, "$leek", exceptions=("soup of $leek",))])
    assert guard.judge("a $leek", "").outcome is Outcome.REFUSE
    assert guard.judge("a $leeks and a$leek", "").outcome is Outcome.ALLOW
    assert guard.judge("a$leek and ($leek)", "").outcome is Outcome.REFUSE
