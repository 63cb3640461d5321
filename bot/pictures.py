"""Tiles, the 1×3 grid and PNG files; composed after the verdicts, in a small pool of threads."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageFont
from PIL.PngImagePlugin import PngInfo

from bot.errors import StoreError
from bot.records import PanelVerdict, PictureFile, Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GAP_PIXELS = 8
_MIN_TILE_PIXELS = 384
_BACKGROUND = (24, 25, 28)
_HIDDEN_TILE = (58, 60, 66)
_HIDDEN_TEXT = (214, 216, 220)
_HELD = "held"
HIDDEN = "hidden by\nthe filter"
NOT_CHECKED = "could not\nbe checked"
_BLUR_PIXELS = 12  # of a picture's width: colours stay, shapes do not
_PNG_LEVEL = 1  # a third of the default level's time for a tenth more bytes


class PictureWriter:
    """Writes ``pictures/<job id>/{grid,1,2,3}.png`` under the data directory, all or nothing.

    What a moderator has to see first lies in ``pictures/held/<job id>`` until it is released.
    """

    def __init__(self, folder: Path, max_threads: int = 2) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(max_threads, thread_name_prefix="pictures")

    def folder_of(self, job_id: int) -> Path:
        """Where the pictures of a job lie."""
        return self._folder / str(job_id)

    async def write(
        self,
        job_id: int,
        recipe: Recipe,
        images: NDArray[np.uint8],
        verdicts: Sequence[PanelVerdict],
    ) -> tuple[PictureFile, ...]:
        """Compose and write; the grid's file first. images: uint8 (N, H, W, 3) RGB.

        Raises StoreError.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, self._write, self._folder, job_id, recipe, images, tuple(verdicts)
        )

    async def write_held(
        self,
        job_id: int,
        recipe: Recipe,
        images: NDArray[np.uint8],
        verdicts: Sequence[PanelVerdict],
    ) -> tuple[PictureFile, ...]:
        """The pictures as they were drawn, apart from what members may see. Raises StoreError."""
        shown = tuple(replace(verdict, shown=True) for verdict in verdicts)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, self._write, self._folder / _HELD, job_id, recipe, images, shown
        )

    async def release(self, job_id: int) -> None:
        """Put held pictures in the place of what was shown instead; again if it was cut short."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, self._release, job_id)

    def _release(self, job_id: int) -> None:
        held = self._folder / _HELD / str(job_id)
        if held.is_dir():
            shutil.rmtree(self.folder_of(job_id), ignore_errors=True)
            held.rename(self.folder_of(job_id))

    async def locate_grid(self, job_id: int) -> Path | None:
        """The grid as a moderator may see it: unhidden while it is held. None if there is none."""
        folders = (self._folder / _HELD / str(job_id), self.folder_of(job_id))
        return next((path for each in folders if (path := each / "grid.png").is_file()), None)

    async def blur(self, path: Path) -> bytes | None:
        """A PNG that shows the colours of a picture and nothing else; None if it is gone."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, _blur, path)

    async def remove(self, job_id: int) -> None:
        """Delete the pictures of a job; does nothing if there are none."""
        loop = asyncio.get_running_loop()
        for folder in (self._folder / _HELD / str(job_id), self.folder_of(job_id)):
            await loop.run_in_executor(self._pool, partial(shutil.rmtree, folder, True))

    def close(self) -> None:
        """Wait for what is being written and stop the threads."""
        self._pool.shutdown()

    def _write(
        self,
        folder: Path,
        job_id: int,
        recipe: Recipe,
        images: NDArray[np.uint8],
        verdicts: tuple[PanelVerdict, ...],
    ) -> tuple[PictureFile, ...]:
        tiles = [
            Image.fromarray(image)
            if verdict.shown
            else compose_hidden_tile(
                image.shape[1::-1], HIDDEN if verdict.was_judged else NOT_CHECKED
            )
            for image, verdict in zip(images, verdicts, strict=True)
        ]
        pictures = [compose_grid(tiles), *tiles]
        seeds = [recipe.seeds, *((seed,) for seed in recipe.seeds)]
        final = folder / str(job_id)
        unfinished = folder / f"{job_id}.partial"
        files: list[PictureFile] = []
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            for panel, (picture, used) in enumerate(zip(pictures, seeds, strict=True)):
                name = f"{panel or 'grid'}.png"
                data = encode_png(picture, recipe, used)
                (unfinished / name).write_bytes(data)
                verdict = verdicts[panel - 1] if panel else None
                digest = hashlib.sha256(data).hexdigest()
                files.append(PictureFile(panel, f"{job_id}/{name}", digest, verdict))
            for old in (self._folder / _HELD / str(job_id), final):
                shutil.rmtree(old, ignore_errors=True)
            unfinished.rename(final)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise StoreError(
                f"The pictures could not be saved ({error.strerror or error}), so nothing was "
                "charged. The owner must make room in DATA_DIR; please try again after that."
            ) from error
        return tuple(files)

    async def locate(self, files: Sequence[PictureFile]) -> list[Path] | None:
        """The files' paths if all are there and whole, else None."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._locate, files)

    def _locate(self, files: Sequence[PictureFile]) -> list[Path] | None:
        paths = [self._folder / file.path for file in files]
        for path, file in zip(paths, files, strict=True):
            try:
                data = path.read_bytes()
            except OSError:
                return None
            if hashlib.sha256(data).hexdigest() != file.sha256:
                return None
        return paths or None


def _blur(path: Path) -> bytes | None:
    try:
        with Image.open(path) as picture:
            size = picture.size
            coarse = picture.convert("RGB").resize(
                (_BLUR_PIXELS * 3, max(_BLUR_PIXELS * 3 * size[1] // size[0], 1)),
                Image.Resampling.BOX,
            )
    except OSError:
        return None
    smooth = coarse.resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(8))
    buffer = BytesIO()
    smooth.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def compose_grid(tiles: Sequence[Image.Image]) -> Image.Image:
    """The tiles side by side; small ones are enlarged by a whole factor."""
    width, height = tiles[0].size
    factor = -(-_MIN_TILE_PIXELS // width) if width < _MIN_TILE_PIXELS else 1
    size = (width * factor, height * factor)
    grid = Image.new(
        "RGB", (len(tiles) * size[0] + (len(tiles) - 1) * _GAP_PIXELS, size[1]), _BACKGROUND
    )
    for index, tile in enumerate(tiles):
        enlarged = tile.resize(size, Image.Resampling.LANCZOS) if factor > 1 else tile
        grid.paste(enlarged, (index * (size[0] + _GAP_PIXELS), 0))
    return grid


def compose_hidden_tile(size: tuple[int, int], words: str = HIDDEN) -> Image.Image:
    """What stands in place of a picture nobody may see; size is (width, height)."""
    tile = Image.new("RGB", size, _HIDDEN_TILE)
    font = ImageFont.load_default(max(size[0] // 12, 8))
    ImageDraw.Draw(tile).multiline_text(
        (size[0] / 2, size[1] / 2),
        words,
        fill=_HIDDEN_TEXT,
        font=font,
        anchor="mm",
        align="center",
    )
    return tile


def encode_png(picture: Image.Image, recipe: Recipe, seeds: Sequence[int]) -> bytes:
    """A PNG that carries its recipe as iTXt entries under diffusers' names."""
    info = PngInfo()
    entries = {
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "seed": ", ".join(str(seed) for seed in seeds),
        "sampler": recipe.sampler,
        "num_inference_steps": recipe.num_inference_steps,
        "guidance_scale": recipe.guidance_scale,
        "guidance_until": recipe.guidance_until,
        "preset": recipe.preset,
        "model": recipe.model,
        "size": f"{recipe.width}x{recipe.height}",
        "Software": "Triptych",
    }
    for key, value in entries.items():
        info.add_itxt(key, str(value))
    buffer = BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, compress_level=_PNG_LEVEL)
    return buffer.getvalue()
