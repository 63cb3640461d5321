"""Tiles, grids and PNG files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from bot.errors import StoreError
from bot.pictures import PictureWriter, compose_grid, compose_hidden_tile, encode_png
from bot.records import PanelVerdict, PictureFile, Recipe
from bot.workers import WorkerProcesses

RECIPE = Recipe(
    "größer Hund 犬 🐕", "Regen, «nass»", (7, 8, 9), 512, 768, 30, 7.5, "ddim", "CompVis/model"
)
SHOWN = (PanelVerdict(None, shown=True),) * 3


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[PictureWriter]:
    made = PictureWriter(tmp_path / "pictures", WorkerProcesses())
    yield made
    made.close()


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
    tile = compose_hidden_tile(size)
    assert tile.size == size
    assert len(tile.getcolors(size[0] * size[1]) or []) > 2


def test_png_carries_its_recipe_in_any_script():
    data = encode_png(tiles(64, 64)[0], RECIPE, RECIPE.seeds)
    image = Image.open(BytesIO(data))
    assert isinstance(image, PngImageFile)
    image.load()
    assert image.text == {
        "prompt": "größer Hund 犬 🐕",
        "negative_prompt": "Regen, «nass»",
        "preset": "quality",
        "guidance_until": "1.0",
        "seed": "7, 8, 9",
        "sampler": "ddim",
        "num_inference_steps": "30",
        "guidance_scale": "7.5",
        "model": "CompVis/model",
        "size": "512x768",
        "Software": "Triptych",
    }
    assert data.count(b"iTXt") == 11


def test_png_keeps_every_pixel_and_is_the_same_every_time():
    [tile, *_] = tiles(64, 64)
    first, second = (encode_png(tile, RECIPE, (7,)) for _ in range(2))
    assert first == second
    assert Image.open(BytesIO(first)).tobytes() == tile.tobytes()


async def test_four_whole_files_are_written_and_found_again(writer: PictureWriter, tmp_path: Path):
    images = draw()
    files = await writer.write(5, RECIPE, images, SHOWN)
    assert [file.panel for file in files] == [0, 1, 2, 3]
    assert [file.verdict for file in files] == [None, *SHOWN]
    paths = await writer.locate(files)
    folder = tmp_path / "pictures" / "5"
    assert paths == [folder / name for name in ("grid.png", "1.png", "2.png", "3.png")]
    for path, image, seed in zip(paths[1:], images, RECIPE.seeds, strict=True):
        opened = Image.open(path)
        assert (np.asarray(opened) == image).all()
        assert opened.text["seed"] == str(seed)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["5"]


async def test_second_drawing_replaces_the_first(writer: PictureWriter):
    await writer.write(5, RECIPE, draw(), SHOWN)
    again = await writer.write(5, RECIPE, draw() // 2, SHOWN)
    assert await writer.locate(again) is not None


async def test_same_pictures_give_the_same_files(writer: PictureWriter):
    first = await writer.write(5, RECIPE, draw(), SHOWN)
    second = await writer.write(6, RECIPE, draw(), SHOWN)
    assert [file.sha256 for file in first] == [file.sha256 for file in second]


@pytest.mark.parametrize("damage", ["missing", "truncated", "changed", "a folder"])
async def test_damaged_file_is_noticed(writer: PictureWriter, tmp_path: Path, damage: str):
    files = await writer.write(5, RECIPE, draw(), SHOWN)
    path = tmp_path / "pictures" / "5" / "2.png"
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "truncated":
        path.write_bytes(data[:-1])
    elif damage == "changed":
        data[100] ^= 1
        path.write_bytes(data)
    elif damage == "a folder":
        path.mkdir()
    assert await writer.locate(files) is None


async def test_job_without_files_is_not_found(writer: PictureWriter):
    assert await writer.locate([]) is None
    assert await writer.locate([PictureFile(0, "9/grid.png", "00")]) is None


async def test_folder_that_cannot_be_made_is_a_sentence(writer: PictureWriter, tmp_path: Path):
    (tmp_path / "pictures").write_text("in the way")
    with pytest.raises(StoreError, match="nothing was charged"):
        await writer.write(5, RECIPE, draw(), SHOWN)


async def test_leftover_of_a_killed_process_is_no_obstacle(writer: PictureWriter, tmp_path: Path):
    partial = tmp_path / "pictures" / "5.partial"
    partial.mkdir(parents=True)
    (partial / "grid.png").write_bytes(b"half")
    await writer.write(5, RECIPE, draw(), SHOWN)
    assert not partial.exists()


async def test_removed_pictures_are_gone_and_may_be_removed_again(
    writer: PictureWriter, tmp_path: Path
):
    files = await writer.write(5, RECIPE, draw(), SHOWN)
    other = await writer.write(6, RECIPE, draw(), SHOWN)
    for _ in range(2):
        await writer.remove(5)
        assert await writer.locate(files) is None
    assert await writer.locate(other) is not None
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["6"]
