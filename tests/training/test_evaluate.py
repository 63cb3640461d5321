import hashlib
from dataclasses import replace

import pytest
import torch

from training import blind, evaluate, judge
from training.fetch import WrongHash, verify
from training.prompts import Prompt, looks_prompts
from training.sources import NOTO, SOURCES

PROMPTS = [
    Prompt("a dog in the snow", "dog", "snow", held_out=False),
    Prompt("a horse in the desert", "horse", "desert", held_out=True),
    Prompt("a cow in the city at night", "cow", "city-night", held_out=True),
]


def saw(subject="dog", scene="snow", count="1", colour="red", style="3d"):
    return {"subject": subject, "scene": scene, "count": count, "colour": colour, "style": style}


def test_accuracy_counts_subject_scene_and_both():
    seen = [saw("dog", "snow"), saw("nothing", "desert"), saw("cow", "city")]
    figures, faults = evaluate.judged(PROMPTS, seen)
    assert figures["subject_accuracy"] == pytest.approx(2 / 3, abs=1e-3)
    assert figures["scene_accuracy"] == pytest.approx(2 / 3, abs=1e-3)
    assert figures["both_accuracy"] == pytest.approx(1 / 3, abs=1e-3)
    assert figures["held_out"]["subject_accuracy"] == 0.5
    assert [fault["seen"] for fault in faults] == ["nothing / desert", "cow / city"]


def test_looks_are_judged_where_they_are_asked_for():
    prompts = [
        replace(PROMPTS[0], text="two dogs", count=2),
        replace(PROMPTS[0], text="a blue dog", colour="blue"),
        replace(PROMPTS[0], text="pixel art of a dog", style="pixel"),
    ]
    seen = [saw(count="2"), saw(colour="red"), saw("cat", count="3", style="pixel")]
    figures, faults = evaluate.judged_looks(prompts, seen)
    assert figures == {
        "prompts": 3,
        "subject_accuracy": 0.6667,
        "count_accuracy": 1.0,
        "colour_accuracy": 0.0,
        "style_accuracy": 1.0,
    }
    assert [fault["seen"] for fault in faults] == ["red", "cat"]


def test_looks_prompts_ask_for_every_kind_in_words():
    prompts = looks_prompts()
    assert {prompt.count for prompt in prompts} == {1, 2, 3}
    assert {prompt.style for prompt in prompts} == {"", "flat", "pixel", "mono"}
    assert all(prompt.colour in prompt.text for prompt in prompts)
    assert not any(prompt.held_out for prompt in prompts)


def test_blind_answers_are_scored_by_synonyms():
    key = {
        "1": {"subject": "dog", "scene": "snow", "held_out": False},
        "2": {"subject": "horse", "scene": "desert", "held_out": True},
        "3": {"subject": "cow", "scene": "city-night", "held_out": True},
    }
    result = blind.score("1; a puppy; winter\n2; pony; sand dunes\n3; cow; city street", key)
    assert result["all"]["subject"] == 1.0
    assert result["held_out"] == {"pictures": 2, "subject": 1.0, "scene": 0.5, "both": 0.5}
    assert result["wrong"] == ["3: asked cow / city-night, read cow / city street"]


def test_blind_looks_are_scored_where_they_were_asked_for():
    asked = {"subject": "dog", "scene": "snow", "held_out": False}
    key = {
        "1": {**asked, "count": 2, "colour": "gray", "style": ""},
        "2": {**asked, "count": 1, "colour": "", "style": "pixel"},
        "3": {**asked, "count": 3, "colour": "red", "style": ""},
    }
    lines = ("1; dog; snow; two; grey;", "2; dog; snow; 1; brown; blocky", "3; dog; snow; 2; red")
    result = blind.score("\n".join(lines), key)
    assert result["all"] == {
        "pictures": 3,
        "subject": 1.0,
        "scene": 1.0,
        "count": 0.5,
        "colour": 1.0,
        "style": 1.0,
        "both": 1.0,
    }
    assert len(result["wrong"]) == 1


def test_blind_sheet_shows_numbers_and_no_prompt(tmp_path):
    blind.write_sheets(PROMPTS, torch.rand(3, 3, 128, 128), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.json", "sheet-1.png"]


def test_spoilt_pictures_are_labelled_nothing():
    from training.draws import Draw

    pixels, cover = torch.rand(9, 3, 128, 128), torch.rand(9, 1, 8, 8)
    labels = torch.full((9, len(judge.HEADS)), 5)
    spoilt, marked = judge._spoil(pixels, cover, labels, Draw(torch.device("cpu"), "t"))
    changed = (spoilt - pixels).abs().flatten(1).amax(1) > 0
    assert changed.tolist() == [True, False, False] * 3
    assert (marked[:, 0] == judge.NOTHING).tolist() == changed.tolist()


@pytest.mark.parametrize(
    ("path", "heads"), [(judge.WEIGHTS, judge.NAMING), (judge.LOOKS_WEIGHTS, tuple(judge.HEADS))]
)
def test_judges_in_the_repository_say_how_well_they_judge_real_scenes(path, heads):
    stored, facts = judge.load(path)
    assert tuple(stored.heads) == heads
    assert all(0 < facts[name] <= 1 for name in (*heads, "nothing"))


def test_a_download_with_another_hash_is_refused(tmp_path):
    path = tmp_path / "package.tgz"
    path.write_bytes(b"something else")
    with pytest.raises(WrongHash, match=hashlib.sha256(b"something else").hexdigest()):
        verify(path, NOTO)


def test_sources_are_pinned_and_permissive():
    for source in SOURCES:
        assert len(source.sha256) == 64
        assert source.licence in {"MIT", "Apache-2.0", "CC-BY-4.0"}
        assert source.credit
