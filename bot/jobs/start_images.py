"""Fetches and keeps the pictures that image-to-image starts from.

A picture is judged before its job joins the queue, and loaded when the job starts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.jobs import Job
from bot.domain.recipes import Recipe, Upload
from bot.errors import StoreError, UserError, WorkerLost, WorkerTimeout, WorkerUnavailable
from bot.images.store import PictureWriter
from bot.images.uploads import check_size, decode_pixels
from bot.jobs.ports import Caller
from bot.ops.workers import WorkerProcesses
from bot.policy.pictures import PictureJudge
from bot.store import JobRepository
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DECODE_SECONDS = 3.0
# few, because each upload takes up to 10 MiB of memory while it is fetched and opened
MAX_UPLOADS_AT_ONCE = 16
_GONE = because(Code.START_GONE)


@dataclass(frozen=True, slots=True)
class Unusable:
    """The reason why a member's picture is not used.

    is_decision: True if the check refused the picture, False if it could not be fetched, opened or
    kept.
    """

    reason: Reason
    is_decision: bool = True


class StartPictures:
    """Keeps members' uploads, and loads them or pictures of earlier jobs to start from."""

    def __init__(
        self,
        jobs: JobRepository,
        workers: WorkerProcesses,
        writer: PictureWriter,
        judge: PictureJudge,
    ) -> None:
        self._jobs = jobs
        self._workers = workers
        self._writer = writer
        self._judge = judge
        self._uploads = asyncio.Semaphore(MAX_UPLOADS_AT_ONCE)

    async def take(self, job: Job, upload: Upload, caller: Caller) -> Unusable | None:
        """Fetch, decode, judge and keep a member's picture. Returns why it is unusable, or None."""
        async with self._uploads:
            return await self._take(job, upload, caller)

    async def _take(self, job: Job, upload: Upload, caller: Caller) -> Unusable | None:
        try:
            data = await caller.fetch_upload(upload)
        except (UserError, StoreError) as error:
            return Unusable(error.reason, is_decision=False)
        try:
            share = job.origin.guild_id or job.origin.user_id
            size, pixels = await open_upload(data, self._workers, share)
            picture = await self._writer.save_start(job.job_id, size, pixels)
            judgement = await self._judge.judge(job, picture[None], [None])
        except (UserError, StoreError) as error:
            return Unusable(error.reason, is_decision=isinstance(error, UserError))
        [verdict] = judgement.verdicts
        if verdict.shown and not (judgement.spoiler or judgement.held_for):
            return None
        await self._writer.remove(job.job_id)
        return Unusable(
            because(Code.UPLOAD_FLAGGED if verdict.was_judged else Code.UPLOAD_UNCHECKED)
        )

    async def fetch_source(self, recipe: Recipe) -> Job | None:
        """Find the job whose picture a recipe starts from; None if that may no longer be seen."""
        if recipe.start is None or not recipe.start.job_id:
            return None
        source = await self._jobs.fetch_job(recipe.start.job_id)
        if source is None or source.hidden or source.is_held or source.deleted_at is not None:
            return None
        return source

    async def load(self, job: Job) -> NDArray[np.uint8] | None:
        """Return the start picture of a job as uint8 (height, width, 3) RGB; None if it has none.

        If the job enlarges a picture, the result has the size that people saw. Otherwise it has the
        recipe's size.

        The recipe must be complete. Raises UserError if the picture is gone.
        """
        start = job.recipe.start
        if start is None:
            return None
        if start.job_id and (await self.fetch_source(job.recipe)) is None:
            raise UserError(_GONE)
        source = start.job_id or job.job_id
        if start.upscaled:
            picture = await self._writer.load_shown(source, start.panel)
        else:
            picture = await self._writer.load_start(source, start.panel, job.recipe.size)
        if picture is None:
            raise UserError(_GONE)
        return picture


async def open_upload(
    data: bytes, workers: WorkerProcesses, share: int | None
) -> tuple[tuple[int, int], bytes]:
    """Decode a member's picture in a worker process; returns (width, height) and its RGB pixels.

    share: the server or member whose share of the workers this uses. Raises UserError if the
    picture cannot be used, StoreError if no worker was free.
    """
    check_size(len(data))
    try:
        return await workers.run(decode_pixels, data, share=share, deadline_seconds=DECODE_SECONDS)
    except WorkerTimeout:
        raise UserError(because(Code.UPLOAD_TOO_SLOW)) from None
    except WorkerLost:
        raise UserError(because(Code.UPLOAD_NOT_OPENED)) from None
    except WorkerUnavailable as error:
        raise StoreError(because(Code.UPLOAD_NO_TURN)) from error
