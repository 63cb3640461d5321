"""The places that a subject can be in: words, colours, painters and scattered props."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from training import painters
from training.painters import Colour, Painter


class Where(StrEnum):
    GROUND = "ground"  # anywhere below the horizon, larger when nearer
    HORIZON = "horizon"  # standing on the horizon
    SKY = "sky"
    CORNER = "corner"  # in an upper corner
    EDGE = "edge"  # standing at the left or right side


@dataclass(frozen=True, slots=True)
class Prop:
    names: tuple[str, ...]  # emoji names
    count: tuple[int, int]
    where: Where
    size: tuple[int, int]  # pixels
    turned: bool = False  # in steps of 60 degrees
    tints: tuple[Colour, ...] = ((255, 255, 255),)


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    phrases: tuple[str, ...]
    sky: tuple[Colour, Colour]  # top, bottom
    ground: tuple[Colour, Colour]  # dark, light
    horizon: tuple[float, float]
    behind: tuple[Painter, ...] = ()  # painted before the ground
    upon: tuple[Painter, ...] = ()  # painted after it
    over: tuple[Painter, ...] = ()  # painted after the props
    props: tuple[Prop, ...] = ()
    weight: float = 1.0
    swims: bool = False  # swimmers float here instead of standing
    floats: bool = False  # everything floats here


LEAF_TINTS: tuple[Colour, ...] = ((255, 170, 60), (255, 120, 60), (255, 215, 90))
FAR_TREES = Prop(("evergreen-tree",), (2, 5), Where.HORIZON, (24, 42))

# The order is part of the held-out rule (captions.is_held_out): append, never insert.
SCENES: tuple[Scene, ...] = (
    Scene(
        "autumn",
        (
            "in a field of autumn leaves",
            "in autumn leaves",
            "in fallen leaves",
            "on autumn leaves",
            "in an autumn park",
            "in autumn",
            "in the fall",
            "among fallen autumn leaves",
        ),
        ((150, 190, 225), (235, 225, 200)),
        ((120, 68, 26), (196, 120, 46)),
        (0.24, 0.38),
        props=(
            Prop(("deciduous-tree",), (2, 4), Where.HORIZON, (26, 42), tints=LEAF_TINTS),
            Prop(
                ("fallen-leaf", "maple-leaf"),
                (26, 38),
                Where.GROUND,
                (8, 18),
                turned=True,
                tints=((255, 190, 90), (255, 235, 120), (255, 255, 255)),
            ),
        ),
        weight=1.8,
    ),
    Scene(
        "moon",
        ("on the moon", "on moon", "on the surface of the moon", "on the lunar surface"),
        ((2, 2, 8), (12, 12, 24)),
        ((105, 105, 108), (178, 178, 175)),
        (0.42, 0.56),
        behind=(painters.stars,),
        upon=(painters.craters,),
        props=(Prop(("globe-showing-americas",), (1, 1), Where.CORNER, (22, 30)),),
        weight=1.8,
    ),
    Scene(
        "beach",
        (
            "on the beach",
            "on a beach",
            "on a sandy beach",
            "at the beach",
            "by the sea",
            "on the shore",
        ),
        ((90, 175, 240), (190, 225, 250)),
        ((226, 196, 138), (246, 222, 170)),
        (0.47, 0.58),
        upon=(painters.shore,),
        props=(
            Prop(("palm-tree",), (1, 2), Where.EDGE, (52, 70)),
            Prop(("spiral-shell",), (0, 2), Where.GROUND, (8, 12)),
        ),
    ),
    Scene(
        "forest",
        ("in the forest", "in a forest", "in the woods", "between trees"),
        ((120, 170, 120), (190, 215, 160)),
        ((44, 84, 34), (80, 124, 50)),
        (0.45, 0.58),
        props=(
            Prop(("evergreen-tree", "deciduous-tree"), (8, 11), Where.HORIZON, (44, 70)),
            Prop(("herb",), (1, 3), Where.GROUND, (9, 13)),
        ),
    ),
    Scene(
        "snow",
        ("in the snow", "in snow", "on a snowy field", "in a snowy landscape", "in winter"),
        ((150, 182, 216), (214, 228, 243)),
        ((226, 233, 243), (250, 252, 255)),
        (0.4, 0.54),
        over=(painters.flakes,),
        props=(FAR_TREES,),
    ),
    Scene(
        "city",
        ("in the city", "in a city", "in the street", "on a city street", "in town"),
        ((120, 180, 235), (200, 225, 245)),
        ((92, 94, 100), (118, 119, 124)),
        (0.6, 0.7),
        behind=(painters.skyline,),
        upon=(painters.road,),
    ),
    Scene(
        "city-night",
        (
            "in the city at night",
            "in a city at night",
            "on a street at night",
            "in a night city",
        ),
        ((10, 12, 40), (50, 35, 90)),
        ((40, 40, 52), (58, 57, 71)),
        (0.6, 0.7),
        behind=(painters.night_skyline,),
        upon=(painters.road,),
        props=(Prop(("crescent-moon",), (0, 1), Where.CORNER, (14, 20)),),
    ),
    Scene(
        "sea",
        ("underwater", "under the sea", "under water", "at the bottom of the sea"),
        ((30, 125, 205), (14, 78, 160)),
        ((194, 174, 126), (213, 196, 148)),
        (0.8, 0.87),
        upon=(painters.light_rays,),
        props=(
            Prop(("coral",), (2, 4), Where.GROUND, (18, 28)),
            Prop(("tropical-fish",), (1, 2), Where.CORNER, (13, 18)),
            Prop(("bubbles",), (1, 2), Where.SKY, (14, 20)),
        ),
        swims=True,
    ),
    Scene(
        "desert",
        ("in the desert", "in a desert", "on sand dunes", "in a sandy desert"),
        ((240, 190, 120), (252, 230, 180)),
        ((210, 146, 76), (232, 176, 98)),
        (0.42, 0.56),
        upon=(painters.dunes,),
        props=(Prop(("cactus",), (1, 3), Where.HORIZON, (24, 36)),),
    ),
    Scene(
        "meadow",
        ("in a meadow", "in a green field", "on the grass", "on green grass", "in a field"),
        ((100, 180, 240), (200, 230, 250)),
        ((84, 150, 54), (118, 188, 70)),
        (0.4, 0.54),
        props=(
            Prop(("cloud",), (1, 3), Where.SKY, (20, 32)),
            Prop(("seedling",), (2, 5), Where.GROUND, (8, 12)),
        ),
    ),
    Scene(
        "garden",
        ("in a field of flowers", "in a flower garden", "in a garden", "among flowers"),
        ((130, 195, 245), (215, 235, 250)),
        ((66, 132, 54), (98, 164, 66)),
        (0.3, 0.42),
        props=(Prop(("tulip", "sunflower", "blossom"), (18, 26), Where.GROUND, (12, 22)),),
    ),
    Scene(
        "mountain",
        ("in the mountains", "in front of mountains", "on a mountain"),
        ((110, 170, 230), (205, 225, 245)),
        ((90, 124, 74), (126, 152, 88)),
        (0.56, 0.66),
        behind=(painters.mountains,),
        props=(Prop(("evergreen-tree",), (1, 4), Where.HORIZON, (16, 24)),),
    ),
    Scene(
        "space",
        ("in space", "in outer space", "floating in space", "among the stars"),
        ((5, 4, 20), (30, 12, 60)),
        ((30, 12, 60), (50, 20, 80)),
        (1.1, 1.1),
        behind=(painters.nebula, painters.stars),
        props=(Prop(("ringed-planet",), (1, 1), Where.CORNER, (26, 36)),),
        floats=True,
    ),
    Scene(
        "sunset",
        ("at sunset", "in the sunset", "at dusk"),
        ((90, 40, 110), (250, 140, 60)),
        ((62, 42, 52), (94, 57, 56)),
        (0.58, 0.68),
        behind=(painters.sun_glow,),
    ),
    Scene(
        "night",
        ("at night", "under the night sky", "in the moonlight"),
        ((8, 12, 45), (30, 40, 90)),
        ((18, 40, 34), (32, 62, 48)),
        (0.55, 0.66),
        behind=(painters.stars,),
        props=(
            Prop(("crescent-moon",), (1, 1), Where.CORNER, (20, 28)),
            Prop(("evergreen-tree",), (0, 3), Where.HORIZON, (20, 36)),
        ),
    ),
    Scene(
        "room",
        ("in a room", "in the living room", "on the floor", "at home", "indoors"),
        ((225, 205, 180), (235, 218, 195)),
        ((152, 104, 64), (172, 122, 78)),
        (0.62, 0.72),
        upon=(painters.planks,),
        props=(
            Prop(("framed-picture",), (1, 2), Where.SKY, (22, 30)),
            Prop(("potted-plant",), (0, 1), Where.EDGE, (30, 40)),
        ),
    ),
)
SCENE_NAMES = tuple(scene.name for scene in SCENES)
