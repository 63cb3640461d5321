from dataclasses import replace

import numpy as np
import torch

from tests.training.conftest import sprite
from training import atlas, placement
from training.captions import Spec
from training.colours import body_colour, recolour
from training.compose import Composer, paste
from training.config import INTERIM, PLAIN
from training.draws import Draw
from training.effects import BLOCKS, black_and_white, pixel_art
from training.scenes import SCENE_NAMES
from training.sprites import prop_names
from training.vocabulary import SUBJECT_NAMES


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
    config = replace(PLAIN, sizes=(64, 96), offsets=(-16, 0, 16), flips=True)
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


def patch_of(*pixels):
    """Opaque pixels side by side: (1, 4, 1, n)."""
    rows = torch.tensor([[*pixel, 1.0] for pixel in pixels])
    return rows.T.reshape(1, 4, 1, len(pixels))


def test_recolouring_changes_the_body_alone_and_keeps_its_shading():
    red, shade, eye, glass = (0.9, 0.1, 0.1), (0.5, 0.06, 0.06), (0.05, 0.05, 0.05), (0.3, 0.6, 0.9)
    patch = patch_of(red, red, red, shade, eye, glass)
    body = body_colour(patch[0])
    assert torch.allclose(body, torch.tensor(red), atol=0.15)
    painted = recolour(patch, body[None], torch.tensor([[0.1, 0.7, 0.1]]))[0, :, 0]
    assert painted[1, 0] > 3 * painted[0, 0]
    assert painted[1, 3] > 3 * painted[0, 3]
    assert painted[1, 3] < painted[1, 0]
    assert torch.allclose(painted[:3, 4], torch.tensor(eye), atol=0.02)
    assert torch.allclose(painted[:3, 5], torch.tensor(glass), atol=0.02)
    assert painted[3].eq(1).all()


def test_three_subjects_stand_apart_on_whole_cells():
    specs = [Spec(0, "snow", count=3)] * 20
    for places in placement.places(specs, INTERIM, Draw(torch.device("cpu"), "t")):
        columns = [x for x, _ in places]
        assert len(places) == len(set(columns)) == 3
        assert {(x - columns[0]) % 16 for x in columns} == {0}
        (_, back), *front = places
        assert all(y > back for _, y in front)
        assert front[1][0] - front[0][0] >= INTERIM.crowd_size


def test_more_subjects_cover_more_places(world):
    composer = Composer.of(world.run("crowd"))
    dog = SUBJECT_NAMES.index("dog")
    specs = [Spec(dog, "snow", count=count) for count in (1, 2, 3)]
    cover = composer.compose_specs(specs, 0).cover[:, 0]
    left, right = cover[..., :4].sum((1, 2)), cover[..., 4:].sum((1, 2))
    assert (left[1:] > 1).all()
    assert (right[1:] > 1).all()
    assert cover[2].sum() > 1.3 * cover[1].sum()


def test_effects_leave_blocks_and_greys():
    picture = torch.rand(2, 3, 128, 128)
    blocks = pixel_art(picture).unfold(2, 128 // BLOCKS, 4).unfold(3, 128 // BLOCKS, 4)
    assert blocks.flatten(-2).std(-1).max() < 1e-6
    assert black_and_white(picture).std(1).max() < 1e-6
