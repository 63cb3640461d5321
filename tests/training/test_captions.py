import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from training.captions import (
    COUNTS,
    Spec,
    compose_caption,
    draw_spec,
    is_held_out,
    list_vocabulary,
    paintable_colours,
    plural,
    training_caption,
)
from training.compose import Composer
from training.config import CONFIGS, INTERIM, PLAIN
from training.prompts import QUICK, evaluation_prompts
from training.scenes import SCENE_NAMES
from training.vocabulary import SUBJECT_NAMES, SUBJECTS


def test_exported_model_names_the_words_that_its_captions_are_made_of():
    path = Path(__file__).parents[2] / "bot" / "starter_model" / "vocabulary.json"
    exported = json.loads(path.read_text("utf-8"))
    assert exported.pop("model") == "Triptych starter model"
    assert exported == list_vocabulary()
    chance = random.Random(5)
    specs = [replace(draw_spec(INTERIM, chance), count=n % 3 + 1) for n in range(2000)]
    captions = [compose_caption(spec, INTERIM, chance).lower() for spec in specs]
    counts = Counter(word for text in captions for word in re.findall(r"[^\W\d_]+", text))
    often = {word for word, count in counts.items() if count > 3}  # the other words are invented
    assert often <= {*exported["words"], *exported["links"]}


def test_no_held_out_pair_is_ever_drawn_for_training():
    for config in CONFIGS.values():
        chance = random.Random(3)
        specs = [draw_spec(config, chance) for _ in range(20_000)]
        pairs = {(spec.subject, spec.place) for spec in specs if spec.subject is not None}
        assert not [pair for pair in pairs if is_held_out(*pair)]


def test_every_pair_that_is_not_held_out_can_be_drawn():
    chance = random.Random(4)
    specs = [draw_spec(INTERIM, chance) for _ in range(60_000)]
    drawn = {(spec.subject, spec.place) for spec in specs}
    wanted = {
        (subject, scene)
        for subject in range(len(SUBJECTS))
        for scene in SCENE_NAMES
        if not is_held_out(subject, scene)
    }
    assert len(wanted - drawn) < len(wanted) / 100


def test_composed_scenes_carry_no_held_out_pair(world):
    composer = Composer.of(world.run("held-out"))
    scenes = composer.compose(200, 0, "any")
    assert not any(
        is_held_out(spec.subject, spec.place) for spec in scenes.specs if spec.subject is not None
    )


def test_evaluation_asks_for_enough_of_what_training_never_saw():
    prompts = evaluation_prompts()
    held = [prompt for prompt in prompts if prompt.held_out]
    assert len(prompts) >= 120
    assert len(held) >= 60
    assert len({prompt.text for prompt in prompts}) == len(prompts)
    assert all(is_held_out(SUBJECT_NAMES.index(p.subject), p.scene) for p in held)
    texts = {prompt.text for prompt in prompts}
    assert "dog sitting in a field of autumn leaves" in texts
    assert "a photograph of an horse on moon" in texts
    assert len(evaluation_prompts(quick=True)) == QUICK


def test_vocabulary_is_large_enough_and_its_words_are_unambiguous():
    assert len(SUBJECTS) >= 80
    assert len(SCENE_NAMES) >= 16
    words = Counter(word for subject in SUBJECTS for word in subject.words)
    assert [word for word, uses in words.items() if uses > 1] == []


def test_captions_depend_on_the_seed_alone():
    def captions(seed):
        chance = random.Random(seed)
        return [compose_caption(draw_spec(INTERIM, chance), INTERIM, chance) for _ in range(50)]

    assert captions(1) == captions(1) != captions(2)


@pytest.mark.parametrize(
    ("noun", "many"),
    [
        ("cat", "cats"),
        ("butterfly", "butterflies"),
        ("monkey", "monkeys"),
        ("red fox", "red foxes"),
        ("polar bear", "polar bears"),
        ("wolf", "wolves"),
        ("sheep", "sheep"),
    ],
)
def test_plurals(noun, many):
    assert plural(noun) == many


def test_some_training_captions_are_empty():
    chance = random.Random(5)
    spec = draw_spec(INTERIM, chance)
    empty = sum(training_caption(spec, INTERIM, chance) == "" for _ in range(2_000))
    assert 140 < empty < 260


def captions_of(spec, count=200):
    chance = random.Random(6)
    return [compose_caption(spec, INTERIM, chance).lower() for _ in range(count)]


def test_a_colour_is_named_and_never_beside_the_nouns_own():
    car = SUBJECT_NAMES.index("automobile")
    for caption in captions_of(Spec(car, "beach", colour="blue")):
        assert "blue" in caption.split()
        assert "red car" not in caption
    assert any("red car" in caption for caption in captions_of(Spec(car, "beach")))


def test_a_black_cat_is_a_noun_of_its_own():
    assert "black" not in paintable_colours(SUBJECT_NAMES.index("cat"))
    assert paintable_colours(SUBJECT_NAMES.index("black-cat")) == ()


@pytest.mark.parametrize("count", [2, 3])
def test_more_than_one_is_said(count):
    dog = SUBJECT_NAMES.index("dog")
    said = {"dogs", "puppies", "hounds", "doggies", "pups"}
    for caption in captions_of(Spec(dog, "snow", count=count)):
        assert said & {word.strip(",.!") for word in caption.split()}
    assert any(f"{COUNTS[count][0]} dogs" in c for c in captions_of(Spec(dog, "snow", count=count)))


@pytest.mark.parametrize("style", ["flat", "pixel", "mono"])
def test_every_style_but_the_default_is_named(style):
    words = {"flat": ("flat", "illustration"), "pixel": ("pixel",), "mono": ("black", "monochrome")}
    for caption in captions_of(Spec(0, "beach", style)):
        assert any(word in caption for word in words[style])


def test_only_the_plain_form_draws_nothing_but_one_in_its_own_look():
    def looks(config):
        chance = random.Random(7)
        specs = [draw_spec(config, chance) for _ in range(3_000)]
        return {(spec.count, spec.style, bool(spec.colour)) for spec in specs}

    assert looks(PLAIN) == {(1, "3d", False)}
    assert {(2, "3d", True), (3, "flat", False), (1, "pixel", True)} < looks(INTERIM)
    assert not [look for look in looks(INTERIM) if look[1] == "mono" and look[2]]
