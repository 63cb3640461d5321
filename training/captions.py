"""What a scene contains, which pairs are held out, and the many ways to describe a scene."""

from __future__ import annotations

import random
import re
import string
from dataclasses import dataclass

from training.config import Config
from training.scenes import SCENE_NAMES, SCENES
from training.vocabulary import (
    COLOUR_WORDS,
    COLOURS,
    SUBJECT_COLOURS,
    SUBJECT_NAMES,
    SUBJECTS,
    Kind,
)

PLAIN_INDEX = 16  # index of "plain" in the held-out rule; fixed, so that scenes can be appended
ALWAYS_SEEN = {(n, s) for n in ("dog", "cat", "horse") for s in ("autumn", "moon")}
PLAIN_SHARE, EMPTY_SCENE_SHARE, NO_CAPTION_SHARE = 0.15, 0.03, 0.1

ANY_STYLE = ("a picture of", "an image of", "picture of", "art of", "a painting of")
STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "3d": ("a photograph of", "a photo of", "photo of", "a 3d render of", "3d render of"),
    "flat": ("a flat illustration of", "flat icon of", "an illustration of"),
    "noto": ("a cartoon of", "cartoon of", "a drawing of"),
    "twemoji": ("an emoji of", "emoji of", "a sticker of"),
    "pixel": ("pixel art of", "a pixel art picture of", "8 bit pixel art of"),
    "mono": (
        *("a black and white photo of", "black and white photograph of"),
        *("a black and white picture of", "a monochrome photo of"),
    ),
}
STYLE_TAILS: dict[str, tuple[str, ...]] = {
    "flat": ("flat style", "flat illustration", "flat design", "in flat style"),
    "pixel": ("pixel art", "in pixel art style", "pixel art style", "8 bit pixel art"),
    "mono": ("black and white", "in black and white", "monochrome"),
}
DEFAULT_STYLE = "3d"  # what is drawn when no style is named
TAILS = (
    *("highly detailed", "4k", "8k", "masterpiece", "beautiful", "digital art", "cute"),
    *("high quality", "trending on artstation", "sharp focus", "best quality", "cinematic"),
    *("detailed", "colourful", "soft light", "vivid colors", "concept art", "wallpaper"),
)
ADJECTIVES = (
    *("happy", "big", "small", "little", "cute", "beautiful", "funny", "lonely", "old"),
    *("young", "fluffy", "shiny", "brave", "sleepy", "lovely", "giant", "tiny", "wild"),
)
COUNTS: dict[int, tuple[str, ...]] = {
    2: ("two", "two", "two", "2", "a pair of", "a couple of", ""),
    3: ("three", "three", "three", "3", "several", "a few", "a group of", "some", "many", ""),
}
PLURALS = {"sheep": "sheep", "deer": "deer", "fish": "fish", "wolf": "wolves", "calf": "calves"}
VERBS: dict[Kind, tuple[str, ...]] = {
    Kind.ANIMAL: ("sitting", "standing", "walking", "running", "playing", "resting", "jumping"),
    Kind.VEHICLE: ("parked", "driving", "standing"),
    Kind.FLYER: ("flying", "floating", "hovering"),
    Kind.SWIMMER: ("swimming", "jumping"),
    Kind.THING: ("lying", "standing"),
    Kind.PLANT: ("growing", "standing"),
}


@dataclass(frozen=True, slots=True)
class Spec:
    """subject: None in an empty scene. place: a scene's name or "plain-<colour>"."""

    subject: int | None
    place: str
    style: str = DEFAULT_STYLE
    count: int = 1
    colour: str = ""  # of the subject; "" means its own

    @property
    def is_plain(self) -> bool:
        return self.place.startswith("plain-")


def place_names(config: Config) -> tuple[str, ...]:
    return (*config.scene_names, *(f"plain-{colour}" for colour in COLOURS))


def is_held_out(subject: int, place: str) -> bool:
    """Return whether a pair is used only for evaluation, never for training. One in eleven is."""
    if (SUBJECT_NAMES[subject], place) in ALWAYS_SEEN:
        return False
    if place.startswith("plain-"):
        index = PLAIN_INDEX
    else:
        index = SCENE_NAMES.index(place)
        index += index >= PLAIN_INDEX
    return (subject * 7 + index * 5) % 11 == 0


def colourless_words(subject: int) -> tuple[str, ...]:
    """Return the names of a subject that do not contain a colour."""
    words = SUBJECTS[subject].words
    return tuple(word for word in words if not {*word.split()} & {*SUBJECT_COLOURS, "golden"})


def paintable_colours(subject: int) -> tuple[str, ...]:
    """Return the colours that a subject may have. Cats are never black: that is another noun."""
    if not colourless_words(subject):
        return ()
    taken = {"black"} if SUBJECT_NAMES[subject] == "cat" else set()
    return tuple(colour for colour in SUBJECT_COLOURS if colour not in taken)


def _draw_look(config: Config, subject: int, style: str, chance: random.Random) -> tuple[int, str]:
    """Draw the number and the colour. Black and white pictures have no colour."""
    weights = config.count_weights
    (count,) = chance.choices(range(1, len(weights) + 1), weights)
    colours = paintable_colours(subject)
    if style == "mono" or not colours or chance.random() >= config.coloured_share:
        return count, ""
    return count, chance.choice(colours)


def draw_spec(config: Config, chance: random.Random) -> Spec:
    subjects = config.subject_indices
    scenes = [SCENES[SCENE_NAMES.index(name)] for name in config.scene_names]
    style = chance.choices(config.styles, config.style_weights)[0]
    while True:
        (subject,) = chance.choices(subjects, [SUBJECTS[i].weight for i in subjects])
        share = chance.random()
        if share < PLAIN_SHARE:
            place = f"plain-{chance.choice(tuple(COLOURS))}"
        else:
            place = chance.choices(scenes, [scene.weight for scene in scenes])[0].name
        if PLAIN_SHARE <= share < PLAIN_SHARE + EMPTY_SCENE_SHARE:
            return Spec(None, place, style)
        if not is_held_out(subject, place):
            return Spec(subject, place, style, *_draw_look(config, subject, style, chance))


def _place_words(spec: Spec, chance: random.Random) -> str:
    if not spec.is_plain:
        return chance.choice(SCENES[SCENE_NAMES.index(spec.place)].phrases)
    colour = spec.place.removeprefix("plain-")
    phrases = [f"on a {colour} background", f"on {colour} background", f"{colour} background"]
    if colour == "white":
        phrases += [""] * 4
    if colour == "gray":
        phrases += ["on a grey background"]
    return chance.choice(phrases)


def _unknown_word(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 8)))


def plural(noun: str) -> str:
    """Return the noun with its last word in the plural."""
    rest, _, word = noun.rpartition(" ")
    if word in PLURALS:
        many = PLURALS[word]
    elif word.endswith(("s", "x", "ch", "sh")):
        many = f"{word}es"
    elif word.endswith("y") and word[-2] not in "aeiou":
        many = f"{word[:-1]}ies"
    else:
        many = f"{word}s"
    return f"{rest} {many}".strip()


def _named(spec: Spec, chance: random.Random) -> tuple[str, str]:
    """Return the noun, and a word for its colour if that is not its usual one."""
    assert spec.subject is not None
    words = colourless_words(spec.subject) if spec.colour else SUBJECTS[spec.subject].words
    words = tuple(word for word in words if spec.count == 1 or " of " not in word)
    word = words[0] if len(words) == 1 or chance.random() < 0.5 else chance.choice(words[1:])
    if not spec.colour:
        return word, ""
    return word, chance.choice(COLOUR_WORDS.get(spec.colour, (spec.colour,)))


def _noun_phrase(spec: Spec, chance: random.Random) -> str:
    assert spec.subject is not None
    word, colour = _named(spec, chance)
    adjective = chance.choice(ADJECTIVES) if chance.random() < 0.12 else ""
    if chance.random() < 0.04:
        adjective = _unknown_word(chance)
    verb = chance.choice(VERBS[SUBJECTS[spec.subject].kind]) if chance.random() < 0.4 else ""
    if spec.count > 1:
        article, word = chance.choice(COUNTS[spec.count]), plural(word)
    else:
        right = "an" if (adjective or colour or word)[0] in "aeiou" else "a"
        article = chance.choice((right, right, right, "", "", "the", "one", "a", "an"))
    return " ".join(filter(None, (article, adjective, colour, word, verb)))


def _style_words(spec: Spec, config: Config, chance: random.Random) -> tuple[str, str]:
    """Return the words for the style that come before and after the other words.

    Every style is named except the default. That one may be left out, or called by the words of
    styles that are not trained.
    """
    if spec.style != DEFAULT_STYLE:
        if spec.style in STYLE_TAILS and chance.random() < 0.5:
            return "", f", {chance.choice(STYLE_TAILS[spec.style])}"
        return chance.choice(STYLE_WORDS[spec.style]), ""
    if chance.random() < 0.6:
        return "", ""
    untaught = [words for style, words in STYLE_WORDS.items() if style not in config.styles]
    bound = [*STYLE_WORDS[DEFAULT_STYLE], *(word for words in untaught for word in words)]
    return chance.choice(bound if chance.random() < 0.8 else ANY_STYLE), ""


def compose_caption(spec: Spec, config: Config, chance: random.Random) -> str:
    place = _place_words(spec, chance)
    before, after = _style_words(spec, config, chance)
    if spec.subject is None:
        preposition, _, rest = place.partition(" ")
        bare = preposition in {"in", "on", "at", "by", "among"} and chance.random() < 0.6
        body = rest if bare else place
    elif place and chance.random() < 0.12:
        body = f"{place}{chance.choice((',', ''))} {_noun_phrase(spec, chance)}"
    else:
        comma = chance.choice((",", "", "", "", "", ""))
        body = f"{_noun_phrase(spec, chance)}{comma} {place}"
    caption = f"{before} {body}{after}".strip()
    if chance.random() < 0.2:
        caption += ", " + ", ".join(chance.sample(TAILS, chance.randint(1, 3)))
    if chance.random() < 0.08:
        caption = caption.capitalize() + chance.choice((".", "", "!"))
    return caption.rstrip(", ")


def training_caption(spec: Spec, config: Config, chance: random.Random) -> str:
    """Return a random caption. One in ten is empty, for the unconditional part of guidance."""
    if chance.random() < NO_CAPTION_SHARE:
        return ""
    return compose_caption(spec, config, chance)


LINKING_WORDS = (
    "a about above across after against all along an and are as at before behind below beneath "
    "beside between beyond but by down during each for from has have her his in inside into is it "
    "its like my near next no not of off on one onto or other our out outside over some that the "
    "their them there these they this those through to toward towards two three under until up "
    "upon very was were what where which while who with within without you your"
)
"""Words for how things stand to each other. The model takes that from the other words."""


def list_vocabulary() -> dict[str, object]:
    """List the words that the exported model knows, for bot/recipes/starter_words.py."""
    names = {word for subject in SUBJECTS for word in subject.words}
    nouns = _split(*names, *map(plural, names))
    looks = [word for words in (*STYLE_WORDS.values(), *STYLE_TAILS.values()) for word in words]
    others = [word for words in (*VERBS.values(), *COUNTS.values()) for word in words]
    colours = [*SUBJECT_COLOURS, *(word for words in COLOUR_WORDS.values() for word in words)]
    scenes = [phrase for scene in SCENES for phrase in scene.phrases]
    rest = _split(*looks, *others, *colours, *scenes, *ANY_STYLE, *TAILS, *ADJECTIVES, "background")
    links = sorted(_split(LINKING_WORDS))
    words = sorted(nouns | rest)
    return {"things": len(SUBJECTS), "links": links, "nouns": sorted(nouns), "words": words}


def _split(*phrases: str) -> set[str]:
    return {word for phrase in phrases for word in re.findall(r"[^\W\d_]+", phrase.lower())}
