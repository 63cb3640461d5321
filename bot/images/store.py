"""Writes tiles, the 1×3 grid and PNG files of judged pictures, in a small pool of threads."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

# imported before there are threads, because two threads that import it at once break it
import numpy as np
from PIL import Image, ImageOps

from bot.domain.pictures import ENLARGED, PanelVerdict, PictureFile
from bot.domain.recipes import Recipe
from bot.errors import StoreError
from bot.images.render import (
    PNG_LEVEL,
    blur,
    compose_grid,
    compose_hidden_tile,
    encode_png,
)
from bot.texts.codes import Code
from bot.texts.jobs import TILE_HIDDEN, TILE_UNCHECKED
from bot.texts.reasons import Reason, because

if TYPE_CHECKING:
    from numpy.typing import NDArray

P = ParamSpec("P")
T = TypeVar("T")

_HELD = "held"


class PictureWriter:
    """Writes ``pictures/<job id>/{grid,1,2,3}.png`` under the data directory, all or nothing.

    If pictures are shown enlarged, the grid shows the enlarged ones, and they are stored beside the
    small ones as ``{1,2,3}.large.png``. Pictures that a moderator has to see first stay in
    ``pictures/held/<job id>`` until then.
    """

    def __init__(self, folder: Path, max_threads: int = 2) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(max_threads, thread_name_prefix="pictures")

    def folder_of(self, job_id: int) -> Path:
        """Return the folder with the pictures of a job."""
        return self._folder / str(job_id)

    async def write(
        self,
        job_id: int,
        recipe: Recipe,
        images: NDArray[np.uint8],
        verdicts: Sequence[PanelVerdict],
        enlarged: NDArray[np.uint8] | None = None,
    ) -> tuple[PictureFile, ...]:
        """Compose and write the files, the grid first. images: uint8 (N, H, W, 3) RGB.

        enlarged: the same pictures as they are shown, if they are shown larger than drawn.
        The text on hidden tiles is in the reader's language. Raises StoreError.
        """
        return await self.run(
            self._write, self._folder, job_id, recipe, images, tuple(verdicts), enlarged
        )

    async def write_held(
        self,
        job_id: int,
        recipe: Recipe,
        images: NDArray[np.uint8],
        verdicts: Sequence[PanelVerdict],
        enlarged: NDArray[np.uint8] | None = None,
    ) -> tuple[PictureFile, ...]:
        """Write the pictures as drawn to the folder that only moderators see. Raises StoreError."""
        shown = tuple(replace(verdict, shown=True) for verdict in verdicts)
        folder = self._folder / _HELD
        return await self.run(self._write, folder, job_id, recipe, images, shown, enlarged)

    async def release(self, job_id: int) -> None:
        """Move held pictures to where members see them; safe to repeat after a crash."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, self._release, job_id)

    def _release(self, job_id: int) -> None:
        held = self._folder / _HELD / str(job_id)
        if held.is_dir():
            shutil.rmtree(self.folder_of(job_id), ignore_errors=True)
            held.rename(self.folder_of(job_id))

    async def locate_grid(self, job_id: int) -> Path | None:
        """Find the grid for a moderator; None if there is none.

        While the job is held, no panel in this grid is hidden.
        """
        folders = (self._folder / _HELD / str(job_id), self.folder_of(job_id))
        return next((path for each in folders if (path := each / "grid.png").is_file()), None)

    async def locate_start(self, job_id: int, panel: int) -> Path | None:
        """Find a recipe's start picture: a panel, or an upload (panel 0); None if it is gone."""
        path = self._start_of(job_id, panel)
        return path if path.is_file() else None

    async def blur(self, path: Path) -> bytes | None:
        """Make a small PNG of a picture's colours that hides what it shows; None if it is gone."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, blur, path)

    async def remove(self, job_id: int) -> None:
        """Delete the pictures of a job; does nothing if there are none."""
        await self.run(self._remove, job_id)

    def _remove(self, job_id: int) -> None:
        for name in (str(job_id), f"{job_id}.partial"):
            shutil.rmtree(self._folder / _HELD / name, ignore_errors=True)
        shutil.rmtree(self.folder_of(job_id), ignore_errors=True)
        shutil.rmtree(self._folder / f"{job_id}.partial", ignore_errors=True)
        with suppress(OSError):
            self._start_of(job_id).unlink(missing_ok=True)

    async def list_jobs(self) -> set[int]:
        """List the jobs that have files."""
        return await self.run(self._list_jobs)

    def _list_jobs(self) -> set[int]:
        paths = [*self._folder.glob("*"), *(self._folder / _HELD).glob("*")]
        names = {path.name.partition(".")[0] for path in paths}
        return {int(name) for name in names if name.isdecimal()}

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work in the thread pool. Words drawn on pictures are in the caller's language."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, partial(copy_context().run, work, *args, **kwargs)
        )

    async def save_start(
        self, job_id: int, size: tuple[int, int], pixels: bytes
    ) -> NDArray[np.uint8]:
        """Save a member's picture, uint8 (H, W, 3) RGB, as the start picture of a job.

        size: (width, height). Raises StoreError.
        """
        return await self.run(self._save_start, job_id, size, pixels)

    def _save_start(self, job_id: int, size: tuple[int, int], pixels: bytes) -> NDArray[np.uint8]:
        picture = Image.frombytes("RGB", size, pixels)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            picture.save(self._start_of(job_id), "PNG", compress_level=PNG_LEVEL)
        except OSError as error:
            raise StoreError(_explain_unsaved(error)) from error
        return _to_array(picture)

    async def load_start(
        self, job_id: int, panel: int, size: tuple[int, int]
    ) -> NDArray[np.uint8] | None:
        """Load a start picture, cropped in the middle to (width, height); None if it is gone.

        panel: 0 is the job's upload.
        """
        return await self.run(self._load_start, job_id, panel, size)

    def _load_start(
        self, job_id: int, panel: int, size: tuple[int, int]
    ) -> NDArray[np.uint8] | None:
        try:
            with Image.open(self._start_of(job_id, panel)) as picture:
                return _to_array(ImageOps.fit(picture.convert("RGB"), size))
        except OSError:
            return None

    async def load_shown(self, job_id: int, panel: int) -> NDArray[np.uint8] | None:
        """Load a picture as it is shown, in its own size; None if it is gone."""
        return await self.run(self._load_shown, job_id, panel)

    def _load_shown(self, job_id: int, panel: int) -> NDArray[np.uint8] | None:
        large = self.folder_of(job_id) / f"{panel}.large.png"
        try:
            with Image.open(large if large.exists() else self._start_of(job_id, panel)) as picture:
                return _to_array(picture.convert("RGB"))
        except OSError:
            return None

    def _start_of(self, job_id: int, panel: int = 0) -> Path:
        return (
            self.folder_of(job_id) / f"{panel}.png"
            if panel
            else self._folder / f"{job_id}.start.png"
        )

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
        enlarged: NDArray[np.uint8] | None,
    ) -> tuple[PictureFile, ...]:
        pictures = _list_files(recipe, images, verdicts, enlarged)
        final = folder / str(job_id)
        unfinished = folder / f"{job_id}.partial"
        files: list[PictureFile] = []
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            for panel, name, picture, told in pictures:
                data = encode_png(picture, told)
                (unfinished / name).write_bytes(data)
                verdict = verdicts[panel - 1] if 0 < panel <= ENLARGED else None
                digest = hashlib.sha256(data).hexdigest()
                files.append(PictureFile(panel, f"{job_id}/{name}", digest, verdict, len(data)))
            for old in (self._folder / _HELD / str(job_id), final):
                shutil.rmtree(old, ignore_errors=True)
            unfinished.rename(final)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise StoreError(_explain_unsaved(error)) from error
        return tuple(files)

    async def locate(self, files: Sequence[PictureFile]) -> list[Path] | None:
        """Return the files' paths if all are there and whole, else None."""
        return await self.run(self._locate, files)

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


def _list_files(
    recipe: Recipe,
    images: NDArray[np.uint8],
    verdicts: Sequence[PanelVerdict],
    enlarged: NDArray[np.uint8] | None,
) -> list[tuple[int, str, Image.Image, Recipe]]:
    """List each file's panel, name, picture and metadata, the grid first."""
    small = _make_tiles(images, verdicts)
    large = small if enlarged is None else _make_tiles(enlarged, verdicts)
    of_each = [replace(recipe, seeds=(seed,)) for seed in recipe.seeds]
    drawn = of_each
    if enlarged is not None:
        drawn = [replace(each, upscaler=None, upscale_factor=None) for each in of_each]
    panels = range(1, len(small) + 1)
    files = [(0, "grid.png", compose_grid(large), recipe)]
    files += [(n, f"{n}.png", small[n - 1], drawn[n - 1]) for n in panels]
    if enlarged is not None:
        files += [(n + ENLARGED, f"{n}.large.png", large[n - 1], of_each[n - 1]) for n in panels]
    return files


def _make_tiles(images: NDArray[np.uint8], verdicts: Sequence[PanelVerdict]) -> list[Image.Image]:
    return [
        Image.fromarray(image)
        if verdict.shown
        else compose_hidden_tile(
            image.shape[1::-1], TILE_HIDDEN if verdict.was_judged else TILE_UNCHECKED
        )
        for image, verdict in zip(images, verdicts, strict=True)
    ]


def _explain_unsaved(error: OSError) -> Reason:
    return because(Code.PICTURES_NOT_SAVED, fault=error.strerror or str(error))


def _to_array(picture: Image.Image) -> NDArray[np.uint8]:
    import numpy as np  # noqa: PLC0415 - not needed by who only composes grids

    return np.array(picture)
