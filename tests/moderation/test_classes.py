"""The built-in classes, on texts composed by program from the packaged lists of neutral terms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evasions import EVASIONS
from bot.moderation import PromptPolicy
from bot.moderation.classes import MINORS, REAL_PEOPLE, BuiltInClasses, read_lexicon
from bot.moderation.readings import list_readings
from bot.records import Outcome

LEXICON = read_lexicon()
CLASSES = BuiltInClasses()
SEXUAL = ("sexual", "sexual_weak", "undressing")
GUARD = PromptPolicy()
PLAIN = ("nude", "nsfw", "erotic")  # terms of the first list, as a dictionary has them
WEAK = LEXICON["sexual_weak"]


def compose(*lists: tuple[str, ...] | list[str]) -> list[str]:
    """Terms side by side, between harmless words."""
    return [f"picture, {', '.join(terms)}, soft light" for terms in product(*lists)]


def outcomes(prompts: list[str]) -> set[tuple[Outcome, str]]:
    verdicts = [GUARD.judge(prompt, "") for prompt in prompts]
    return {(verdict.outcome, verdict.rule) for verdict in verdicts}


def test_plain_terms_together_with_a_minor_are_refused():
    prompts = compose(list(LEXICON["sexual"]), list(LEXICON["minor"]))
    assert outcomes(prompts) == {(Outcome.REFUSE, MINORS)}


def test_unsure_terms_together_with_a_minor_are_held():
    prompts = compose(list(WEAK), list(LEXICON["minor"]))
    assert outcomes(prompts) == {(Outcome.HOLD, MINORS)}
    assert outcomes(compose(PLAIN, ["girl", "student", "niece", "baby"])) == {
        (Outcome.HOLD, MINORS)
    }


@pytest.mark.parametrize(
    "age", ["12 year old", "9-years-old", "15yo", "aged 16", "eleven year old"]
)
def test_age_below_eighteen_makes_a_minor(age: str):
    assert outcomes(compose(PLAIN, [age])) == {(Outcome.REFUSE, MINORS)}


@pytest.mark.parametrize("age", ["18 year old", "40 years old", "aged 30", "1,000-year-old oak"])
def test_age_of_an_adult_does_not(age: str):
    assert outcomes(compose(PLAIN, [age])) == {(Outcome.ALLOW, "")}


def test_plain_terms_together_with_a_real_person_are_refused():
    names = [
        f"{given} {surname}"
        for given, surname in islice(
            zip(LEXICON["given_names"], LEXICON["surnames"], strict=False), 150
        )
    ]
    own = [f"my {somebody}" for somebody in LEXICON["acquaintances"]]
    prompts = compose(PLAIN[:1], [*names, *own, "my old teacher", *LEXICON["deepfake"]])
    assert outcomes(prompts) == {(Outcome.REFUSE, REAL_PEOPLE)}


def test_unsure_terms_together_with_a_real_person_are_held():
    assert outcomes(compose(PLAIN, list(LEXICON["public_roles"]))) == {(Outcome.HOLD, REAL_PEOPLE)}
    assert outcomes(compose(list(WEAK), ["emma smith", "my boss", "actress"])) == {
        (Outcome.HOLD, REAL_PEOPLE)
    }
    assert outcomes(compose(PLAIN, ["Emma Strongbow at home"])) == {(Outcome.HOLD, REAL_PEOPLE)}


def test_one_half_alone_is_no_hit():
    halves = [
        *LEXICON["sexual"], *WEAK, *LEXICON["minor"], *LEXICON["minor_unsure"],
        *LEXICON["public_roles"], *LEXICON["deepfake"], "emma smith", "my teacher", "12 year old",
    ]  # fmt: skip
    assert outcomes(compose(halves)) == {(Outcome.ALLOW, "")}


def test_other_meanings_are_no_hit():
    for term in LEXICON["not_sexual"]:
        assert GUARD.judge(f"{term}, child, emma smith", "").is_allowed, term
    for animal in ("elephant", "panda", "african elephant", "tiger"):
        assert GUARD.judge(f"nude baby {animal}", "").is_allowed, animal
    for prompt in (
        "nude statue of Michelangelo's David",
        "nude study by Emma Smith",
        "erotic poem in the style of Emma Smith",
        "sexy girl in a red dress",
    ):
        assert GUARD.judge(prompt, "").is_allowed, prompt


@pytest.mark.parametrize(
    "dressed", ["nud3", "n u d e", "n\u200bude", "nud\u0435", "NUUUDE", "(nu:1.1)de", "n*de"]
)
def test_disguised_terms_are_seen_through(dressed: str):
    verdict = GUARD.judge(f"{dressed} t33nager", "")
    assert (verdict.outcome, verdict.rule) == (Outcome.REFUSE, MINORS)
    assert verdict.form != "as typed"


def test_masked_word_stands_for_one_word_only():
    assert {"julie", "jolie"} <= {*LEXICON["given_names"], *LEXICON["surnames"]}
    assert GUARD.judge("nude j*lie", "").is_allowed
    for prompt, rule in (("nude j*lie j*lie", REAL_PEOPLE), ("nude j*lie ch*ld", MINORS)):
        verdict = GUARD.judge(prompt, "")
        assert (verdict.outcome, verdict.rule) == (Outcome.REFUSE, rule)


def mask(term: str) -> str:
    return term[:1] + "*" + term[2:]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([term for name in (*SEXUAL, "not_sexual", "minor", "given_names")
                             for term in LEXICON[name]]),
            st.sampled_from([str, mask, " ".join, EVASIONS["leet digits"],
                             EVASIONS["all letters doubled"], EVASIONS["digits at the end"]]),
        ),
        max_size=5,
    ),
    st.sampled_from([" ", ", ", "-", "."]),
)  # fmt: skip
def test_quick_look_misses_nothing_sexual(terms: list[tuple[str, Callable]], between: str):
    readings = list_readings(between.join(dress(term) for term, dress in terms))
    is_sexual = any(hits.get(name) for _, hits in CLASSES.find(readings) for name in SEXUAL)
    assert CLASSES.may_concern(readings) or not is_sexual


def test_negative_prompt_is_judged_and_cannot_undress():
    assert GUARD.judge("dog", "nude child").outcome is Outcome.REFUSE
    assert GUARD.judge("child at the beach", "clothes").outcome is Outcome.HOLD
    assert GUARD.judge("child at the beach", "blurry").outcome is Outcome.ALLOW


def test_nobody_can_switch_them_off():
    lenient = PromptPolicy([], [])
    for prompt in compose(PLAIN, ["child", "emma smith"]):
        assert lenient.judge(prompt, "").outcome is Outcome.REFUSE


def test_sentences_name_the_class_and_that_nothing_was_charged():
    for person, about in (("child", "minors"), ("emma smith", "real people")):
        reason = GUARD.judge(f"nude {person}", "").reason
        assert about in reason
        assert "Nothing was drawn or charged" in reason
