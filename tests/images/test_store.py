"""The picture files of a job are written completely, found again, and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.domain.pictures import ENLARGED, PanelVerdict, PictureFile
from bot.errors import StoreError
from bot.images.store import PictureWriter
from bot.jobs.ports import Delivery
from tests.images.test_render import RECIPE, draw

SHOWN = (PanelVerdict(None, shown=True),) * 3


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[PictureWriter]:
    made = PictureWriter(tmp_path / "pictures")
    yield made
    made.close()


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


ENLARGED_RECIPE = replace(RECIPE, upscaler="an upscaler", upscale_factor=2)


def make_large(images: np.ndarray) -> np.ndarray:
    """Make pictures of twice the size that differ from the small ones."""
    return 255 - images.repeat(2, axis=1).repeat(2, axis=2)


async def test_pictures_that_are_shown_enlarged_are_kept_as_drawn_beside_them(
    writer: PictureWriter,
):
    small = draw()
    files = await writer.write(5, ENLARGED_RECIPE, small, SHOWN, make_large(small))
    assert [file.panel for file in files] == list(range(7))
    assert [file.verdict for file in files] == [None, *SHOWN, None, None, None]
    paths = await writer.locate(files)
    assert paths is not None
    for panel, image, large in zip((1, 2, 3), small, make_large(small), strict=True):
        drawn, shown = Image.open(paths[panel]), Image.open(paths[panel + ENLARGED])
        assert (np.asarray(drawn) == image).all()
        assert (np.asarray(shown) == large).all()
        assert "upscaler" not in drawn.text
        assert (shown.text["upscaler"], shown.text["upscale_factor"]) == ("an upscaler", "2")
        assert shown.text["seed"] == drawn.text["seed"]
    with Image.open(paths[0]) as grid:
        first = np.asarray(grid)[:, : grid.height * large.shape[1] // large.shape[0]]
        assert abs(first.mean() - make_large(small)[0].mean()) < 2
        assert grid.text["upscaler"] == "an upscaler"
    delivery = Delivery.of(files, paths)
    assert (delivery.grid, delivery.images, delivery.verdicts) == (
        paths[0],
        tuple(paths[4:]),
        SHOWN,
    )


async def test_start_picture_is_the_one_that_was_drawn_and_only_upscale_takes_the_shown_one(
    writer: PictureWriter,
):
    small = draw()
    await writer.write(5, ENLARGED_RECIPE, small, SHOWN, make_large(small))
    size = small.shape[2], small.shape[1]
    assert (await writer.load_start(5, 2, size) == small[1]).all()
    assert (await writer.load_shown(5, 2) == make_large(small)[1]).all()
    await writer.write(6, RECIPE, small, SHOWN)
    assert (await writer.load_shown(6, 2) == small[1]).all()
    assert await writer.load_shown(7, 1) is None


async def test_hidden_picture_is_hidden_enlarged_too_until_a_moderator_releases_it(
    writer: PictureWriter,
):
    small, hidden = draw(), (*SHOWN[:2], PanelVerdict(True, shown=False))
    large = make_large(small)
    await writer.write(5, ENLARGED_RECIPE, small, hidden, large)
    assert (await writer.load_shown(5, 2) == large[1]).all()
    assert not (await writer.load_shown(5, 3) == large[2]).any(axis=2).all()
    held = await writer.write_held(5, ENLARGED_RECIPE, small, hidden, large)
    await writer.release(5)
    assert (await writer.load_shown(5, 3) == large[2]).all()
    assert await writer.locate(held) is not None
