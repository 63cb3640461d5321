from dataclasses import replace

import numpy as np
import torch

from training import atlas
from training.captions import Spec
from training.compose import Composer, paste
from training.config import INTERIM
from training.scenes import SCENE_NAMES
from training.sprites import prop_names
from training.vocabulary import SUBJECT_NAMES

from .conftest import sprite


def test_a_batch_is_a_function_of_its_name(world):
    composer = Composer.of(world.run("compose"))
    again = Composer.of(world.run("compose"))
    first, same, other = composer.compose(8, 0, 1), again.compose(8, 0, 1), again.compose(8, 0, 2)
    assert first.specs == same.specs
    assert torch.equal(first.pixels, same.pixels)
    assert not torch.equal(first.pixels, other.pixels)


def test_cover_says_where_the_subject_is(world):
    composer = Composer.of(world.run("compose"))
    dog = SUBJECT_NAMES.index("dog")
    scenes = composer.compose_specs([Spec(dog, "snow", "3d"), Spec(None, "snow", "3d")], 0)
    assert scenes.cover[0].max() > 0.9
    assert scenes.cover[1].max() == 0


def test_every_scene_can_be_painted_with_every_variation():
    names = [*SUBJECT_NAMES, *prop_names()]
    bank = {f"{name}|3d": sprite(number) for number, name in enumerate(names)}
    config = replace(INTERIM, sizes=(64, 96), offsets=(-16, 0, 16), flips=True)
    composer = Composer(bank, config, torch.device("cpu"))
    specs = [Spec(number, scene, "3d") for number, scene in enumerate(SCENE_NAMES)]
    pixels = composer.compose_specs(specs, 0).pixels
    assert pixels.shape == (len(SCENE_NAMES), 3, 128, 128)
    assert pixels.isfinite().all()
    assert 0 <= pixels.min() <= pixels.max() <= 1
    assert pixels.flatten(1).std(1).min() > 0.01


def test_paste_blends_premultiplied_colour_at_its_place():
    canvas = torch.ones(1, 3, 8, 8)
    patch = torch.full((1, 4, 2, 2), 0.5)
    patch[:, :3] = 0.0
    paste(canvas, patch, torch.tensor([3]), torch.tensor([5]))
    assert canvas[0, 0, 5:7, 3:5].eq(0.5).all()
    assert canvas.sum() == 3 * (64 - 4 * 0.5)


def test_cut_sprites_have_no_bright_edges():
    grey = np.zeros((128, 128, 4), np.uint8)
    grey[..., :3] = 255  # the colour of fully transparent pixels must not bleed in
    grey[30:90, 30:90] = (60, 60, 60, 255)
    pixels = atlas.cut(grey, 40)
    assert (pixels[..., :3] <= pixels[..., 3:] * 0.6).all()
