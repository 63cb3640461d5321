"""The built-in classes judge texts that a program composes from lists of neutral terms."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evasions import EVASIONS
from bot.domain.jobs import Ancestry
from bot.domain.rules import MINORS, Outcome
from bot.moderation import PromptPolicy
from bot.moderation.classes import REAL_PEOPLE, BuiltInClasses, read_lexicon
from bot.moderation.lexicon import read_languages
from bot.moderation.readings import list_readings
from bot.texts.reasons import say

LEXICON = read_lexicon()
CLASSES = BuiltInClasses()
SEXUAL = ("sexual", "sexual_weak", "undressing", "scanty")
GUARD = PromptPolicy()
PLAIN = ("nude", "nsfw", "erotic")  # terms of the first list, in the form of a dictionary
WEAK = LEXICON["sexual_weak"]


def compose(*lists: tuple[str, ...] | list[str]) -> list[str]:
    """Compose a text with these terms between harmless words."""
    return [f"picture, {', '.join(terms)}, soft light" for terms in product(*lists)]


def outcomes(prompts: list[str]) -> set[tuple[Outcome, str]]:
    verdicts = [GUARD.judge(prompt, "") for prompt in prompts]
    return {(verdict.outcome, verdict.rule) for verdict in verdicts}


def test_plain_terms_together_with_a_minor_are_refused():
    sexual, minors = list(LEXICON["sexual"]), list(LEXICON["minor"])
    prompts = compose(sexual, minors[::20]) + compose(sexual[::20], minors)
    assert outcomes(prompts) == {(Outcome.REFUSE, MINORS)}


def test_unsure_terms_together_with_a_minor_are_held():
    minors = list(LEXICON["minor"])
    prompts = compose(list(WEAK), minors[::20]) + compose(list(WEAK[::20]), minors)
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
    assert outcomes(compose(PLAIN, ["Oriel Strongbow at home"])) == {(Outcome.HOLD, REAL_PEOPLE)}


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


def judge_from(prompt: str, *behind: tuple[str, str], negative: str = "", **ancestry: Any):
    verdict = GUARD.judge(prompt, negative, ancestry=Ancestry(behind, **ancestry))
    return verdict.outcome, verdict.rule


@pytest.mark.parametrize(
    ("half", "other", "outcome", "rule"),
    [
        ("nude", "child", Outcome.REFUSE, MINORS),
        ("nude", "12 year old", Outcome.REFUSE, MINORS),
        ("sexy", "child", Outcome.HOLD, MINORS),
        ("nude", "girl", Outcome.HOLD, MINORS),
        ("nude", "emma smith", Outcome.REFUSE, REAL_PEOPLE),
        ("nude", "Oriel Strongbow at home", Outcome.HOLD, REAL_PEOPLE),
        ("sexy", "girl", Outcome.ALLOW, ""),
        ("nude", "baby elephant", Outcome.ALLOW, ""),
    ],
)
def test_halves_in_two_steps_are_judged_as_one(half, other, outcome: Outcome, rule: str):
    for first, second in ((half, other), (other, half)):
        assert GUARD.judge(first, "").is_allowed
        assert judge_from(second, (first, "")) == (outcome, rule)
        assert judge_from("oil painting", (second, ""), ("dog", ""), (first, "")) == (outcome, rule)


def test_negative_prompt_behind_a_picture_undresses_too_and_else_protects():
    assert judge_from("child", ("at the beach", "clothes")) == (Outcome.HOLD, MINORS)
    assert judge_from("at the beach", ("child", ""), negative="clothes") == (Outcome.HOLD, MINORS)
    assert judge_from("child", ("at the beach", "nude, nsfw")) == (Outcome.ALLOW, "")
    assert judge_from("nude statue", ("marble", "child")) == (Outcome.ALLOW, "")


def test_nothing_sexual_is_drawn_from_a_picture_that_a_person_sent():
    terms = [*LEXICON["sexual"], *WEAK, *LEXICON["scanty"], "remove all her clothes", "no bra"]
    terms += [f"without {worn}" for worn in LEXICON["garments"]]
    terms += [f"{verb} her shirt" for verb in LEXICON["removal"]]
    terms += [f"shirt {gone}" for gone in LEXICON["gone"]]
    for prompt in compose(terms):
        assert judge_from(prompt, is_sent=True) == (Outcome.REFUSE, REAL_PEOPLE), prompt
        assert judge_from("oil", (prompt, ""), is_sent=True)[0] is Outcome.REFUSE, prompt
    for term in (*LEXICON["undressing"], *LEXICON["garments"]):
        assert judge_from("oil", negative=term, is_sent=True) == (Outcome.REFUSE, REAL_PEOPLE)
    assert judge_from("nude child", is_sent=True) == (Outcome.REFUSE, MINORS)


def test_sent_picture_may_be_drawn_from_otherwise():
    for prompt in (
        "watercolour",
        "child in warm clothes",
        "well dressed dog",
        "naked tree",
        "red dress",
    ):
        assert judge_from(prompt, negative="nude, nsfw", is_sent=True) == (Outcome.ALLOW, "")
    assert judge_from("bikini") == judge_from("dog", negative="dress") == (Outcome.ALLOW, "")
    assert judge_from("child", negative="dress") == (Outcome.ALLOW, "")


def test_instruction_undresses_nobody_in_a_picture_that_a_person_sent():
    """Whatever the words are about, and however far apart they are."""
    terms = [*LEXICON["sexual"], *WEAK, *LEXICON["scanty"], *LEXICON["undressed"]]
    terms += [*LEXICON["edit_exposing"], "naked tree", "nude lipstick"]
    for verb in (*LEXICON["removal"], *LEXICON["edit_taking"]):
        terms += [f"{verb} all of the red and blue {worn}" for worn in ("shirt", "outfit")]
    terms += [
        f"let the {worn} of the tall woman vanish"
        for category in ("garments", "undressing", "edit_clothes")
        for worn in LEXICON[category]
    ]
    for prompt in compose(terms):
        sent = judge_from(prompt, is_sent=True, is_edited=True)
        assert sent == (Outcome.REFUSE, REAL_PEOPLE), prompt
    for whose in ("is_unknown", "depicts_person"):
        flags: dict[str, Any] = {whose: True, "is_edited": True}
        assert judge_from("naked tree", **flags) == (Outcome.REFUSE, REAL_PEOPLE)
        assert judge_from("oil", ("naked tree", ""), **flags) == (Outcome.REFUSE, REAL_PEOPLE)
    assert judge_from("nude child", is_sent=True, is_edited=True) == (Outcome.REFUSE, MINORS)


@pytest.mark.parametrize("language", read_languages())
def test_instruction_in_another_language_undresses_nobody(language: str):
    lexicon = read_languages()[language]
    gap = "" if language in {"ja", "zh"} else " "
    terms = list(lexicon["edit_exposing"])
    terms += [f"{verb}{gap}{worn}" for verb in lexicon["edit_taking"]
              for worn in lexicon["edit_clothes"][:3]]  # fmt: skip
    terms += [f"{worn}{gap}{lexicon['edit_taking'][-1]}" for worn in lexicon["edit_clothes"]]
    for term in terms:
        verdict = judge_from(term, is_sent=True, is_edited=True)
        assert verdict == (Outcome.REFUSE, REAL_PEOPLE), term


def test_other_instructions_for_a_sent_picture_pass_and_drawn_pictures_are_judged_as_before():
    for prompt in (
        "make it winter",
        "remove the car in the background",
        "give her a red dress",
        "erase the text at the top",
        "make the sky transparent",
        "make her hair shorter",
        "put a cat under her chair",
        "zieh ihr einen Hut auf",
        "mets-lui une robe rouge",
        "quita el sombrero",
        "coloque um chapéu",
        "赤いドレスを着せて",
        "给她戴上帽子",
        "togli il cappello",
        "надень ей шляпу",
    ):
        assert judge_from(prompt, is_sent=True, is_edited=True) == (Outcome.ALLOW, ""), prompt
    for prompt in ("naked tree", "make her skirt shorter", "bikini"):
        assert judge_from(prompt, ("dog", ""), is_edited=True) == (Outcome.ALLOW, ""), prompt
    assert judge_from("make her skirt shorter", is_sent=True) == (Outcome.ALLOW, "")


UNDRESSING = ("remove her long red dress", "make her wear nothing", "zieh ihr das Kleid aus")


@pytest.mark.parametrize(
    ("who", "outcome", "rule"),
    [
        ("portrait of Emma Smith", Outcome.REFUSE, REAL_PEOPLE),
        ("my teacher", Outcome.REFUSE, REAL_PEOPLE),
        ("the president", Outcome.HOLD, REAL_PEOPLE),
        ("a child of 12", Outcome.HOLD, MINORS),
        ("a girl at the beach", Outcome.HOLD, MINORS),
        ("a woman in a red dress", Outcome.ALLOW, ""),
    ],
)
def test_instruction_undresses_no_minor_and_no_real_person_that_was_drawn(
    who: str, outcome: Outcome, rule: str
):
    for words in UNDRESSING:
        assert judge_from(words, (who, ""), is_edited=True) == (outcome, rule), words
        before = judge_from(who, (words, ""), is_edited=True, instructions=frozenset({words}))
        assert before == (outcome, rule), words
    assert judge_from("make it winter", (who, ""), is_edited=True) == (Outcome.ALLOW, "")
    text = f"{who}, wearing a uniform, no hat, falling leaves"  # words of a prompt, not of an edit
    assert judge_from("make it winter", (text, ""), is_edited=True) == (Outcome.ALLOW, "")


def test_nothing_sexual_is_drawn_with_a_model_of_a_real_person():
    terms = [*LEXICON["sexual"], *WEAK, *LEXICON["scanty"], *LEXICON["undressed"]]
    for prompt in compose(terms):
        verdict = judge_from(prompt, depicts_person=True)
        assert verdict == (Outcome.REFUSE, REAL_PEOPLE), prompt
    assert judge_from("oil", negative="clothes", depicts_person=True)[0] is Outcome.REFUSE
    assert judge_from("oil", ("nude", ""), depicts_person=True)[0] is Outcome.REFUSE
    assert judge_from("nude child", depicts_person=True) == (Outcome.REFUSE, MINORS)
    for prompt in ("watercolour", "red dress", "naked tree"):
        verdict = judge_from(prompt, negative="nude, nsfw", depicts_person=True)
        assert verdict == (Outcome.ALLOW, ""), prompt


def test_unknown_words_behind_a_picture_may_have_been_sexual_and_it_may_have_been_sent():
    assert judge_from("sexy pose", is_unknown=True) == (Outcome.REFUSE, REAL_PEOPLE)
    assert judge_from("child", is_unknown=True) == (Outcome.HOLD, MINORS)
    assert judge_from("emma smith", is_unknown=True) == (Outcome.HOLD, REAL_PEOPLE)
    assert judge_from("dog", is_unknown=True) == (Outcome.ALLOW, "")


def test_sentence_says_what_counted_besides_the_words():
    behind = say(GUARD.judge("child", "", ancestry=Ancestry((("nude", ""),))).reason)
    assert "earlier prompts that led to your start picture count" in behind
    sent = say(GUARD.judge("nude", "", ancestry=Ancestry(is_sent=True)).reason)
    assert sent.startswith("Pictures that people send may show real persons, so")
    for reason in (behind, sent):
        assert "Nothing was drawn or charged" in reason
        assert "another picture" in reason
    alone = say(GUARD.judge("nude child", "", ancestry=Ancestry((("nude", ""),))).reason)
    assert "earlier prompts" not in alone


def test_of_names_who_is_shown():
    for shown in (
        "a nude photo of {}", "nude paintings of {}", "nude, art of {}", "{}, nude", "nude by, {}",
        "nude work of {}", "nude artist {}", "naked photographer {}", "nude by pool {}",
        "naked, held by {}", "nude modelled after {}", "nude standing by {}",
        "nude painting by Rubens of {}", "nude after shower, {}",
        "nude selfie by {}", "nude pose by {}", "nude cosplay by {}",
        "nude performance by {}", "nude, ridden by {}", "nude who looks after {}",
    ):  # fmt: skip
        listed = GUARD.judge(shown.format("Emma Smith"), "")
        assert (listed.outcome, listed.rule) == (Outcome.REFUSE, REAL_PEOPLE), shown
        for name, outcome in (("Emma", Outcome.REFUSE), ("Oriel", Outcome.HOLD)):
            rare = GUARD.judge(shown.format(f"{name} Strongbow") + " at home in the garden", "")
            assert (rare.outcome, rare.rule) == (outcome, REAL_PEOPLE), shown
    both = GUARD.judge("nude painting of Emma Smith by Tom Harris", "")
    assert (both.outcome, both.rule) == (Outcome.REFUSE, REAL_PEOPLE)


def test_by_and_its_like_name_who_made_it():
    for made in (
        "nude study by {}", "nude, painted by the artist {}", "nude after {}", "painter {}, nude",
        "nude in the style of {}", "nude, manner of {}", "nude study, artist: {}",
        "a nude, by the famous painter {}", "nude (by {}:1.2)",
    ):  # fmt: skip
        for name in ("Emma Smith", "Emma Strongbow", "Oriel Strongbow"):
            assert GUARD.judge(made.format(name), "").outcome is Outcome.ALLOW, (made, name)


def test_animal_must_be_the_noun_itself():
    for prompt in ("naked kid bunny", "naked kid in bunny costume", "naked kid goat costume",
                   "naked kid goat girl", "naked kid, goat", "naked infant rabbit",
                   "naked kids goat", "nude kid goat person"):  # fmt: skip
        assert outcomes([prompt]) == {(Outcome.REFUSE, MINORS)}, prompt
    for prompt in ("naked baby bunny girl", "naked baby bunny costume", "naked baby bunny ears",
                   "naked baby bunny suit", "naked baby, bunny", "naked baby human bear",
                   "naked baby bunny-outfit", "naked baby shower", "naked baby bunny, costume",
                   "naked baby bunny cosplay, beach"):  # fmt: skip
        assert outcomes([prompt]) == {(Outcome.HOLD, MINORS)}, prompt
    for prompt in ("naked kid goat", "nude baby elephant, bathing", "nude baby polar bear on ice",
                   "(nude baby elephant:1.2)", "naked infant gorilla and its mother"):  # fmt: skip
        assert outcomes([prompt]) == {(Outcome.ALLOW, "")}, prompt
    assert outcomes(["kid bunny", "kid in bunny costume"]) == {(Outcome.ALLOW, "")}


def test_minors_are_named_also_where_the_words_alone_are_refused_for_another_class():
    """Only this class hides the prompt from moderators."""
    behind = Ancestry((("a 12 year old girl", ""),))
    verdicts = (
        GUARD.judge("nude emma smith", "", ancestry=behind),
        GUARD.judge("nude emma smith", "naked child"),
    )
    assert {(each.outcome, each.rule) for each in verdicts} == {(Outcome.REFUSE, MINORS)}
    assert GUARD.judge("nude emma smith", "").rule == REAL_PEOPLE


def test_nobody_can_switch_them_off():
    lenient = PromptPolicy([], [])
    for prompt in compose(PLAIN, ["child", "emma smith"]):
        assert lenient.judge(prompt, "").outcome is Outcome.REFUSE


def test_sentences_name_the_class_and_that_nothing_was_charged():
    for person, about in (("child", "minors"), ("emma smith", "real people")):
        reason = say(GUARD.judge(f"nude {person}", "").reason)
        assert about in reason
        assert "Nothing was drawn or charged" in reason
