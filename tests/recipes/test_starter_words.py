"""A message names the words of a prompt that the starter model does not know."""

from __future__ import annotations

import pytest

from bot.domain.recipes import Recipe, StartPicture
from bot.recipes.starter_words import describe_unknown

STARTER = "Triptych starter model"


def describe(prompt: str, **values: object) -> str:
    return describe_unknown(Recipe(prompt, **{"model": STARTER, **values}))


@pytest.mark.parametrize(
    "prompt",
    [
        "dog in autumn leaves",
        "Three red foxes on the moon, 8k, dramatic lighting",
        "a majestic dog",
        "a photo of two black cats behind a castle",
        "T-Rex under water!",
        "slice of pizza",
        "",
        "123",
    ],
)
def test_prompts_of_known_words_are_left_alone(prompt: str):
    assert describe(prompt) == ""


def test_noun_that_is_not_known_is_named():
    text = describe("dog beside a Lighthouse")
    assert text == (
        "The starter model knows 80 things; it does not know “lighthouse”, and draws only the rest."
    )


@pytest.mark.parametrize("prompt", ["Hund im Herbst", "собака в лесу", "犬 と 猫", "lighthouse"])
def test_prompt_without_one_known_word_gets_a_hint_of_the_language(prompt: str):
    text = describe(prompt)
    assert "by their English names" in text
    assert "dog in autumn leaves" in text


def test_long_lists_are_short_and_no_markdown_comes_through():
    text = describe("dog with `lighthouse` *wizard* @everyone <@1> pirate zeppelin gramophone")
    assert "“lighthouse”, “wizard”, and “everyone”" in text
    assert "pirate" not in text
    assert not set(text) & set("`*@<")


def test_other_models_and_enlarged_pictures_say_nothing():
    assert describe("lighthouse", model="stable diffusion 1.5") == ""
    assert describe("lighthouse", start=StartPicture(1, 1, 0.2, factor=2)) == ""


def test_words_of_a_style_are_not_the_members():
    recipe = Recipe("a gouache of dog, gramophone", model=STARTER, own_words="dog")
    assert describe_unknown(recipe) == ""
