"""Keeps the folder of pictures and its index in step, and takes away what has had its time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from bot.errors import StoreError
from bot.images.store import PictureWriter
from bot.ops.logs import of_job
from bot.store import JobRepository, PictureRepository

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
_BY_RETENTION = 0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long pictures stay; None keeps them. What is oldest goes first."""

    max_days: int | None = None
    max_bytes: int | None = None


class PictureKeeper:
    """Rows stay when pictures go: the recipe can be drawn again."""

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

    async def run(self) -> None:
        """Now and once an hour."""
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                log.error("pictures could not be looked through: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Retention, then files without rows and rows without files."""
        for job_id in await self._list_overdue():
            await self._jobs.mark_deleted(job_id, deleted_by=_BY_RETENTION, now=self._now())
            await self._writer.remove(job_id)
            of_job(log, job_id).info("the time of its pictures is over")
        on_disk = await self._writer.list_jobs()  # before the rows: a job's files come first
        kept = await self._pictures.list_kept()
        for job_id in on_disk - kept:
            await self._writer.remove(job_id)
            of_job(log, job_id).info("its files belonged to nothing and were removed")
        if not on_disk and kept:
            log.error("the folder of the pictures is empty or not there; nothing is marked as gone")
            return
        for job_id in await self._pictures.list_with_pictures() - await self._writer.list_jobs():
            of_job(log, job_id).warning("its files have gone from the disk")
            await self._jobs.mark_deleted(job_id, deleted_by=_BY_RETENTION, now=self._now())

    async def _list_overdue(self) -> list[int]:
        days, most = self._retention.max_days, self._retention.max_bytes
        before = None if days is None else self._now() - days * _DAY_SECONDS
        return await self._pictures.list_overdue(before=before, max_bytes=most)
