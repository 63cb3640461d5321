"""The nouns that the model learns, with the words for them, and the plain colours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    ANIMAL = "animal"
    SWIMMER = "swimmer"
    FLYER = "flyer"
    VEHICLE = "vehicle"
    PLANT = "plant"
    THING = "thing"


@dataclass(frozen=True, slots=True)
class Subject:
    name: str  # the emoji's name in the icon sets
    words: tuple[str, ...]  # the first is the plain name, the rest are synonyms
    kind: Kind
    weight: float = 1.0


def _subjects(kind: Kind, *rows: str) -> list[Subject]:
    """Each row is "emoji-name [weight]: word, word"."""
    subjects = []
    for row in rows:
        head, words = row.split(":")
        name, *weight = head.split()
        parts = tuple(word.strip() for word in words.split(","))
        subjects.append(Subject(name, parts, kind, float(weight[0]) if weight else 1.0))
    return subjects


# The order is part of the held-out rule (captions.is_held_out): append, never insert.
SUBJECTS: tuple[Subject, ...] = (
    *_subjects(
        Kind.ANIMAL,
        "dog 2.5: dog, puppy, hound, doggy, pup",
        "cat 1.5: cat, kitten, kitty",
        "black-cat: black cat, black kitten",
        "horse 2.5: horse, pony, stallion, foal, mare",
        "unicorn: unicorn",
        "zebra: zebra",
        "cow: cow, cattle, calf",
        "pig: pig, hog, piglet",
        "ewe: sheep, lamb, ewe",
        "goat: goat",
        "two-hump-camel: camel",
        "elephant: elephant",
        "rhinoceros: rhino, rhinoceros",
        "giraffe: giraffe",
        "tiger: tiger",
        "lion: lion",
        "monkey: monkey, ape",
        "gorilla: gorilla",
        "panda: panda, panda bear",
        "polar-bear: polar bear, white bear",
        "rabbit: rabbit, bunny, hare",
        "fox: fox, red fox",
        "wolf: wolf",
        "deer: deer, doe",
        "hedgehog: hedgehog",
        "kangaroo: kangaroo",
        "turtle: turtle, tortoise",
        "crocodile: crocodile, alligator",
        "dragon: dragon",
        "t-rex: dinosaur, t-rex, tyrannosaurus",
        "frog: frog, toad",
    ),
    *_subjects(
        Kind.SWIMMER,
        "whale: whale",
        "dolphin: dolphin",
        "tropical-fish: fish, tropical fish",
        "shark: shark",
        "octopus: octopus, squid",
    ),
    *_subjects(Kind.ANIMAL, "crab: crab"),
    *_subjects(Kind.FLYER, "butterfly: butterfly", "honeybee: bee, honeybee, bumblebee"),
    *_subjects(
        Kind.ANIMAL,
        "penguin: penguin",
        "rooster: rooster, chicken, hen",
        "duck: duck, mallard",
        "owl: owl",
        "parrot: parrot, bird, macaw",
        "flamingo: flamingo",
    ),
    *_subjects(
        Kind.VEHICLE,
        "automobile 1.3: car, automobile, red car",
        "bus: bus, coach",
        "fire-engine: fire truck, fire engine",
        "tractor: tractor",
        "bicycle: bicycle, bike, cycle",
        "motorcycle: motorcycle, motorbike",
        "locomotive: train, steam train, locomotive, steam engine",
    ),
    *_subjects(
        Kind.FLYER,
        "airplane: airplane, plane, aeroplane",
        "helicopter: helicopter, chopper",
        "rocket: rocket, spaceship, rocket ship",
        "flying-saucer: ufo, flying saucer",
    ),
    *_subjects(Kind.VEHICLE, "sailboat: sailboat, boat, sailing boat"),
    *_subjects(Kind.THING, "house: house, home, cottage", "castle: castle, fortress", "tent: tent"),
    *_subjects(
        Kind.PLANT,
        "deciduous-tree: tree, green tree",
        "cactus: cactus",
        "sunflower: sunflower, flower",
        "rose: rose, red rose",
        "mushroom: mushroom, toadstool",
    ),
    *_subjects(
        Kind.THING,
        "red-apple: apple, red apple",
        "banana: banana",
        "pizza: pizza, slice of pizza",
        "hamburger: burger, hamburger, cheeseburger",
        "birthday-cake: cake, birthday cake",
        "robot: robot, android",
        "snowman: snowman",
        "teddy-bear: teddy bear, teddy",
        "ghost: ghost, spook",
        "alien: alien, extraterrestrial",
        "guitar: guitar, electric guitar",
        "umbrella: umbrella",
    ),
    *_subjects(Kind.FLYER, "balloon: balloon, red balloon"),
    *_subjects(
        Kind.THING, "soccer-ball: soccer ball, ball, football", "crown: crown, golden crown"
    ),
)
SUBJECT_NAMES = tuple(subject.name for subject in SUBJECTS)

COLOURS: dict[str, tuple[int, int, int]] = {
    "white": (250, 250, 250),
    "red": (225, 60, 55),
    "blue": (70, 130, 225),
    "green": (90, 185, 90),
    "yellow": (250, 215, 80),
    "pink": (250, 165, 200),
    "black": (22, 22, 24),
    "purple": (150, 95, 200),
    "orange": (250, 155, 60),
    "gray": (150, 150, 155),
}
# The colours that a subject can have. Plain backgrounds use only COLOURS.
SUBJECT_COLOURS: dict[str, tuple[int, int, int]] = {
    **COLOURS,
    "red": (222, 40, 40),
    "blue": (50, 105, 225),
    "green": (60, 170, 70),
    "black": (48, 48, 54),
    "white": (245, 245, 248),
    "brown": (135, 82, 45),
}
COLOUR_WORDS = {"gray": ("gray", "grey")}
