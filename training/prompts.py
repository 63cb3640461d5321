"""The fixed prompts for evaluation: trained pairs, held-out pairs, and looks."""

from __future__ import annotations

from dataclasses import dataclass

from training.captions import (
    STYLE_WORDS,
    TAILS,
    colourless_words,
    is_held_out,
    paintable_colours,
    plural,
)
from training.draws import python_random
from training.scenes import SCENE_NAMES, SCENES
from training.vocabulary import SUBJECT_NAMES, SUBJECTS

SEEN, HELD_OUT = 64, 64
QUICK = 16
NUMBERS = {2: "two", 3: "three"}
LOOKS = (  # (count, with a colour, style), used in turn
    *((2, False, ""), (1, True, ""), (3, False, ""), (1, False, "flat"), (1, True, "")),
    *((2, True, ""), (1, False, "pixel"), (3, True, ""), (1, True, ""), (1, False, "mono")),
)
LOOKED_AT = 70
LIST_SEED = 20_261_123  # a different seed makes a different list


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    subject: str  # the emoji's name
    scene: str
    held_out: bool
    count: int = 1
    colour: str = ""  # of the subject; "" if none is asked for
    style: str = ""  # "" if none is asked for


CANONICAL = (
    Prompt("dog sitting in a field of autumn leaves", "dog", "autumn", held_out=False),
    Prompt("a photograph of an horse on moon", "horse", "moon", held_out=False),
)


def _worded(subject: int, scene: int, number: int, held_out: bool) -> Prompt:
    """Every third prompt has a synonym, every fourth a tail; the scene's phrases take turns."""
    chance = python_random(LIST_SEED, "words", subject, scene)
    words = SUBJECTS[subject].words
    word = chance.choice(words) if number % 3 == 0 else words[0]
    phrases = SCENES[scene].phrases
    text = f"{'an' if word[0] in 'aeiou' else 'a'} {word} {phrases[number % len(phrases)]}"
    if number % 4 == 0:
        text += ", " + ", ".join(chance.sample(TAILS, 2))
    return Prompt(text, SUBJECT_NAMES[subject], SCENE_NAMES[scene], held_out)


def _pairs(held_out: bool, count: int) -> list[tuple[int, int]]:
    """Choose pairs: no subject comes twice before all have come, and scenes are spread evenly."""
    pairs = [
        (subject, scene)
        for subject in range(len(SUBJECTS))
        for scene, name in enumerate(SCENE_NAMES)
        if is_held_out(subject, name) == held_out
    ]
    python_random(LIST_SEED, held_out).shuffle(pairs)
    uses: dict[int, int] = {}
    ranked = []
    for subject, scene in pairs:
        uses[subject] = uses.get(subject, 0) + 1
        ranked.append((uses[subject], subject, scene))
    ranked.sort(key=lambda row: row[0])
    return [(subject, scene) for _, subject, scene in ranked[:count]]


def evaluation_prompts(*, quick: bool = False) -> list[Prompt]:
    seen = [
        *CANONICAL,
        *(_worded(s, p, i, held_out=False) for i, (s, p) in enumerate(_pairs(False, SEEN))),
    ]
    held = [_worded(s, p, i, held_out=True) for i, (s, p) in enumerate(_pairs(True, HELD_OUT))]
    if quick:
        return seen[: QUICK // 2] + held[: QUICK // 2]
    return seen + held


def _dressed(subject: int, scene: int, count: int, coloured: bool, style: str) -> Prompt:
    """Return a trained pair with a number, a colour or a style."""
    chance = python_random(LIST_SEED, "looks", subject, scene)
    colour = chance.choice(paintable_colours(subject)) if coloured else ""
    word = (colourless_words(subject) if colour else SUBJECTS[subject].words)[0]
    number = NUMBERS[count] if count > 1 else "an" if (colour or word)[0] in "aeiou" else "a"
    parts = (number, colour, plural(word) if count > 1 else word, SCENES[scene].phrases[0])
    text = " ".join(filter(None, parts))
    if style:
        text = f"{STYLE_WORDS[style][0]} {text}"
    return Prompt(text, SUBJECT_NAMES[subject], SCENE_NAMES[scene], False, count, colour, style)


def looks_prompts(*, quick: bool = False) -> list[Prompt]:
    """Return prompts with numbers, colours and styles, for nouns and scenes in turn."""
    pairs = [pair for pair in _pairs(False, len(SUBJECTS)) if paintable_colours(pair[0])]
    prompts = []
    for (subject, scene), (count, coloured, style) in zip(pairs, LOOKS * len(pairs), strict=False):
        prompts.append(_dressed(subject, scene, count, coloured, style))
    return prompts[: len(LOOKS)] if quick else prompts[:LOOKED_AT]
