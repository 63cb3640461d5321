"""The files of a job's pictures: written whole, found again, taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.domain.pictures import PanelVerdict, PictureFile
from bot.errors import StoreError
from bot.images.store import PictureWriter
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
