"""Forms of a blocked word are found, and words that only look like it are not."""

from __future__ import annotations

import pytest

from bot.domain.rules import Outcome, Rule, RuleKind
from bot.moderation import PromptPolicy
from bot.moderation.inflections import list_inflections

GUARD = PromptPolicy(
    ["nude", "rape", "ass", "coon", "garlic", "potato", "turnip"],
    [
        Rule(RuleKind.PHRASE, "red carpet"),
        Rule(RuleKind.PHRASE, "st petersburg"),
        Rule(RuleKind.WORD, "rap", exceptions=("rapping",)),
    ],
)


def find_rule(prompt: str) -> str:
    return GUARD.judge(prompt, "").rule


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("nude", {"nudes", "nuded", "nuding"}),
        ("rap", {"raps", "rapped", "rapping"}),
        ("shovel", {"shovels", "shoveled", "shovelled", "shoveling", "shovelling"}),
        ("pussy", {"pussies", "pussied", "pussying"}),
        ("ass", {"asses", "assed", "assing"}),
        ("garlic", {"garlics", "garlicked", "garlicking"}),
        ("potato", {"potatos", "potatoes", "potatoed", "potatoing"}),
        ("naked", {"nakeds"}),
        ("as", set()),
        ("Straße", set()),
        ("c3po", set()),
        ("abcdefghijklmno", set()),
    ],
)
def test_forms_are_those_that_english_makes(word: str, forms: set[str]):
    assert set(list_inflections(word)) == forms


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [
        ("some nudes", "nude"),
        ("he raped", "rape"),
        ("RAPING", "rape"),
        ("nud3s", "nude"),
        ("n u d e s", "nude"),
        ("asses", "ass"),
        ("raps", "rap"),
        ("rapping", ""),  # allowed by an exception
        ("grapes", ""),
        ("rapid", ""),
    ],
)
def test_word_rule_finds_its_inflections(prompt: str, rule: str):
    assert find_rule(prompt) == rule


def test_phrases_have_no_inflections():
    assert find_rule("red carpets") == ""


@pytest.mark.parametrize(
    "prompt",
    [
        "n*d*", "nu[)e", "n(_)de", "n█de", "(oon", "p°tat°es", "p°tat°", "t(_)rnip", "*n*de*",
        "77uurrnn11pp", "ⲛⲩⲇⲉ", "ᑎᑌᗪᗴ", "ᏁᏬᎠᎬ", "几ㄩ刀乇", "NNUUDDEE",
    ],
)  # fmt: skip
def test_new_disguises_are_seen_through(prompt: str):
    verdict = GUARD.judge(prompt, "")
    assert verdict.outcome is Outcome.REFUSE
    assert verdict.form != "as typed"


@pytest.mark.parametrize(
    "prompt",
    [
        "A S S E M B L Y", "b a s s", "R A C C O O N", "model A55", "a Galaxy A55", "model a55",
        "Area A55: closed", "(oon music:1.2)", "the wall is red, carpet is blue", "red; carpet",
        "it is red. Carpet store", "cute cat ^^", "20°C outside",
    ],
)  # fmt: skip
def test_words_that_only_look_like_it_are_left_alone(prompt: str):
    assert find_rule(prompt) == ""


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [
        ("a n u d e dog", "nude"),
        ("n u d e n u d e", "nude"),
        ("x t u r n i p y z", "turnip"),  # a long word does not occur by chance
        ("i r a p e", "rape"),  # if two words begin alike, the longer one counts
        ("a55", "ass"),
        ("A55", "ass"),  # everything is in capitals, so they mean nothing
        ("red.carpet", "red carpet"),
        ("red-carpet", "red carpet"),
        ("St. Petersburg", "st petersburg"),
        ("red (carpet:1.2)", "red carpet"),
    ],
)
def test_what_is_left_alone_opens_no_door(prompt: str, rule: str):
    assert find_rule(prompt) == rule
