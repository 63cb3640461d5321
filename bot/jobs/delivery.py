"""From a rendered job to a delivered one; also after a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.jobs.board import AGAIN_SECONDS, StatusBoard
from bot.jobs.port import TOKEN_LIFE_SECONDS, Delivery, Ended, Messenger, Undeliverable, Unreachable
from bot.pictures import PictureWriter
from bot.records import Job, JobStatus
from bot.store import JobRepository

log = logging.getLogger(__name__)


class Deliverer:
    """Posts finished pictures; what cannot be posted is refunded and kept on disk."""

    def __init__(
        self,
        jobs: JobRepository,
        writer: PictureWriter,
        messenger: Messenger,
        board: StatusBoard,
        now: Callable[[], float],
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        self._jobs = jobs
        self._writer = writer
        self._messenger = messenger
        self._board = board
        self._now = now
        self._again_seconds = again_seconds

    async def deliver(self, job: Job) -> Job | None:
        """Post the pictures of a rendered job; the row as it ends."""
        await self._board.finish(job)
        files = await self._jobs.list_pictures(job.job_id)
        paths = await self._writer.locate(files)
        if paths is None:
            return await self._give_up(
                job,
                "Its pictures were lost from the disk before they could be posted. "
                "Nothing was charged; please ask again.",
                tell=True,
            )
        verdicts = tuple(file.verdict for file in files if file.verdict is not None)
        delivery = Delivery(grid=paths[0], images=tuple(paths[1:]), verdicts=verdicts)
        try:
            message_id = await self._post(job, delivery)
        except Undeliverable as error:
            log.warning("job %s is undeliverable: %s", job.job_id, error)
            return await self._give_up(job, str(error), tell=False)
        log.info("job %s delivered", job.job_id)
        await self._jobs.forget_dead_tokens(self._now() - TOKEN_LIFE_SECONDS)
        return await self._jobs.mark_delivered(job.job_id, message_id=message_id, now=self._now())

    async def _post(self, job: Job, delivery: Delivery) -> int | None:
        """Try until it is posted or in vain; a stop in between leaves the job to the next start."""
        while True:
            try:
                return await self._messenger.deliver(job, delivery)
            except Unreachable as error:
                log.warning("job %s waits for Discord: %s", job.job_id, error)
                await asyncio.sleep(self._again_seconds)

    async def _give_up(self, job: Job, reason: str, *, tell: bool) -> Job | None:
        ended = await self._jobs.mark_ended(
            job.job_id,
            JobStatus.UNDELIVERABLE,
            reason=reason,
            now=self._now(),
            leaving=[JobStatus.RENDERED],
            told=not tell,
        )
        if tell and ended is not None:
            await self._board.finish(ended, Ended())
        return ended
