"""Tiles, the grid and PNG files."""

from __future__ import annotations

import gettext
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from bot.domain.recipes import Recipe
from bot.images.render import blur, compose_grid, compose_hidden_tile, encode_png
from bot.texts import catalog
from bot.texts.catalog import Text
from bot.texts.jobs import TILE_HIDDEN

RECIPE = Recipe(
    "größer Hund 犬 🐕",
    "Regen, «nass»",
    (7, 8, 9),
    width=512,
    height=768,
    num_inference_steps=30,
    guidance_scale=7.5,
    sampler="ddim",
    model="CompVis/model",
)


def draw(height: int = 64, width: int = 64) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (3, height, width, 3), np.uint8)


def tiles(width: int, height: int) -> list[Image.Image]:
    return [Image.fromarray(image) for image in draw(height, width)]


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((512, 512), (3 * 512 + 16, 512)),
        ((512, 768), (3 * 512 + 16, 768)),
        ((768, 512), (3 * 768 + 16, 512)),
        ((384, 384), (3 * 384 + 16, 384)),
        ((128, 128), (3 * 384 + 16, 384)),
        ((128, 192), (3 * 384 + 16, 576)),
        ((200, 100), (3 * 400 + 16, 200)),
        ((64, 1024), (3 * 384 + 16, 6144)),
    ],
)
def test_grid_is_one_row_of_three_with_gaps_and_small_tiles_enlarged_whole(
    size: tuple[int, int], grid: tuple[int, int]
):
    assert compose_grid(tiles(*size)).size == grid


def test_large_tiles_stand_in_the_grid_unchanged_and_in_order():
    drawn = tiles(400, 300)
    grid = compose_grid(drawn)
    for index, tile in enumerate(drawn):
        left = index * 408
        assert grid.crop((left, 0, left + 400, 300)).tobytes() == tile.tobytes()
    for left in (400, 808):
        assert grid.crop((left, 0, left + 8, 300)).getcolors() == [(8 * 300, (24, 25, 28))]


@pytest.mark.parametrize("size", [(64, 64), (64, 1024), (512, 512), (1024, 64)])
def test_hidden_tile_has_the_size_of_its_picture_and_says_something(size: tuple[int, int]):
    tile = compose_hidden_tile(size, TILE_HIDDEN)
    assert tile.size == size
    assert len(tile.getcolors(size[0] * size[1]) or []) > 2


@pytest.mark.parametrize(
    ("said", "drawn"), [("gefiltert", "gefiltert"), ("隠されました", "hidden")]
)
def test_words_of_a_hidden_tile_are_english_where_the_font_has_none_of_its_language(
    said: str, drawn: str, monkeypatch: pytest.MonkeyPatch
):
    texts = gettext.NullTranslations()
    monkeypatch.setattr(texts, "gettext", lambda english: said)
    expected = compose_hidden_tile((64, 64), Text(drawn)).tobytes()
    monkeypatch.setattr(catalog, "load_catalog", lambda locale: texts)
    assert compose_hidden_tile((64, 64), Text("hidden")).tobytes() == expected


def test_png_carries_its_recipe_in_any_script():
    data = encode_png(tiles(64, 64)[0], RECIPE)
    image = Image.open(BytesIO(data))
    assert isinstance(image, PngImageFile)
    image.load()
    assert image.text == {
        "prompt": "größer Hund 犬 🐕",
        "negative_prompt": "Regen, «nass»",
        "preset": "quality",
        "guidance_until": "1.0",
        "seed": "7, 8, 9",
        "width": "512",
        "height": "768",
        "version": "1",
        "sampler": "ddim",
        "num_inference_steps": "30",
        "guidance_scale": "7.5",
        "model": "CompVis/model",
        "size": "512x768",
        "Software": "Triptych",
    }
    assert data.count(b"iTXt") == 14


def test_png_keeps_every_pixel_and_is_the_same_every_time():
    [tile, *_] = tiles(64, 64)
    first, second = (encode_png(tile, RECIPE) for _ in range(2))
    assert first == second
    assert Image.open(BytesIO(first)).tobytes() == tile.tobytes()


def draw_waves(width: int, height: int, waves: int, *, across: bool) -> Image.Image:
    """Draw this many light stripes on the shorter side."""
    y, x = np.mgrid[0:height, 0:width]
    phase = 2 * np.pi * waves * (x if across else y) / min(width, height)
    return Image.fromarray((127.5 + 127.5 * np.sin(phase)).astype(np.uint8)).convert("RGB")


def measure_kept(blurred: Image.Image, original: Image.Image) -> float:
    """Return how much of a picture's structure is left, from 0 to 1: the slope of a linear fit."""
    grey = original.convert("L").resize(blurred.size, Image.Resampling.BOX)
    left, whole = (np.asarray(each.convert("L"), np.float64) for each in (blurred, grey))
    return float(((left - left.mean()) * (whole - whole.mean())).mean() / whole.var())


def blur_file(picture: Image.Image, folder: Path) -> Image.Image:
    path = folder / "picture.png"
    picture.save(path)
    data = blur(path)
    assert data is not None
    return Image.open(BytesIO(data))


@pytest.mark.parametrize("num_tiles", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (128, 128), (128, 192), (768, 512), (1024, 1024)])
@pytest.mark.parametrize("across", [True, False])
def test_nothing_finer_than_a_third_of_a_picture_is_seen_through_the_blur_at_any_size(
    tmp_path: Path, size: tuple[int, int], num_tiles: int, across: bool
):
    """To recognise a face or an animal, people need finer details than that."""
    for waves in (3, 4, 6, 8, 12):
        grid = compose_grid([draw_waves(*size, waves, across=across)] * num_tiles)
        pair = blur_file(grid, tmp_path), grid
        first = [each.crop((0, 0, each.width // num_tiles, each.height)) for each in pair]
        assert measure_kept(*first) < 0.1, waves


def test_damaged_file_is_as_one_that_is_gone(tmp_path: Path):
    """So a moderator sees a card, and not a traceback."""
    path = tmp_path / "damaged.png"
    Image.effect_noise((400, 400), 60).save(path)
    data = bytearray(path.read_bytes())
    second = data.index(b"IDAT", data.index(b"IDAT") + 4)
    for offset in (0, 50):
        broken = bytearray(data)
        broken[second + offset : second + offset + 4] = b"\0\0\0\0"
        path.write_bytes(broken)
        assert blur(path) is None


def test_colours_stay_where_they_are_in_a_blurred_picture(tmp_path: Path):
    picture = Image.new("RGB", (300, 300), "red")
    picture.paste("blue", (150, 0, 300, 300))
    blurred = blur_file(picture, tmp_path)
    left, right = (blurred.getpixel((x, 96)) for x in (10, 181))
    assert min(left[0], right[2]) > 200
    assert max(left[2], right[0]) < 60


def test_blurred_picture_is_a_small_file_and_one_that_is_gone_is_none(tmp_path: Path):
    assert max(blur_file(Image.new("RGB", (6000, 2000)), tmp_path).size) == 576
    assert blur(tmp_path / "gone.png") is None
