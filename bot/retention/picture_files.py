"""Deletes pictures that are too old, and makes the files on disk match the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.images.store import PictureWriter
from bot.ops.chores import Apart
from bot.ops.logs import of_job
from bot.store import JobRepository, PictureRepository

log = logging.getLogger(__name__)

_DAY_SECONDS = 86_400.0
_BY_RETENTION = 0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long pictures are kept; None means without limit. The oldest are deleted first."""

    max_days: int | None = None
    max_bytes: int | None = None


class PictureFiles:
    """Deletes picture files. The rows of their jobs stay, so that the jobs can be drawn again."""

    def __init__(
        self,
        jobs: JobRepository,
        pictures: PictureRepository,
        writer: PictureWriter,
        retention: Retention,
        now: Callable[[], float],
    ) -> None:
        self._jobs = jobs
        self._pictures = pictures
        self._writer = writer
        self._retention = retention
        self._now = now
        self._apart = Apart(now)

    async def sweep(self) -> None:
        """Delete overdue pictures and files without a job; mark jobs whose files are missing.

        Raises SomeFailed at the end if this failed for some jobs.
        """
        overdue = await self._list_overdue()
        # List files before rows. A job's files are written before its rows, so none looks orphaned.
        on_disk = await self._writer.list_jobs()
        kept = await self._pictures.list_kept()
        gone: set[int] = set()
        if kept and not on_disk:
            log.error("the folder of pictures is empty or missing; no picture is marked as deleted")
        else:
            gone = await self._pictures.list_with_pictures() - await self._writer.list_jobs()
        work = dict.fromkeys(gone, self._note_gone)
        work |= dict.fromkeys(on_disk - kept, self._remove_orphan)
        work |= dict.fromkeys(overdue, self._end)
        await self._apart.run({f"job {job_id}": partial(do, job_id) for job_id, do in work.items()})

    async def _note_gone(self, job_id: int) -> None:
        of_job(log, job_id).warning("the picture files are missing from the disk")
        await self._jobs.mark_deleted(job_id, deleted_by=_BY_RETENTION, now=self._now())

    async def _remove_orphan(self, job_id: int) -> None:
        await self._writer.remove(job_id)
        of_job(log, job_id).info("picture files deleted, because the database does not list them")

    async def _end(self, job_id: int) -> None:
        await self._jobs.mark_deleted(job_id, deleted_by=_BY_RETENTION, now=self._now())
        await self._writer.remove(job_id)
        of_job(log, job_id).info("pictures deleted, because they are too old or there are too many")

    async def _list_overdue(self) -> list[int]:
        days, most = self._retention.max_days, self._retention.max_bytes
        before = None if days is None else self._now() - days * _DAY_SECONDS
        return await self._pictures.list_overdue(before=before, max_bytes=most)
