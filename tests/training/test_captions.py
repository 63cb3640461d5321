import random
from collections import Counter

import pytest

from training.captions import (
    compose_caption,
    draw_spec,
    is_held_out,
    plural,
    training_caption,
)
from training.compose import Composer
from training.config import CONFIGS, INTERIM
from training.prompts import QUICK, evaluation_prompts
from training.scenes import SCENE_NAMES
from training.vocabulary import SUBJECT_NAMES, SUBJECTS


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
