"""Picks up the jobs that an earlier process left unfinished.

Only one process runs at a time, so every "running" row at the start is from an earlier one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bot.domain.jobs import Job, JobStatus, Source
from bot.domain.recipes import RECIPE_VERSION
from bot.jobs.dispatcher import MAX_ATTEMPTS, Dispatcher
from bot.jobs.ports import TOKEN_LIFE_SECONDS, InReview, Messenger, NoMessage, NotPosted, Waiting
from bot.jobs.queue.waitlist import Waitlist
from bot.jobs.status_messages import StatusMessages
from bot.ops.logs import of_job
from bot.store import JobRepository
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

_OPEN = (JobStatus.ACCEPTED, JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.RENDERED)
"""The jobs resumed here. Held jobs wait for a moderator instead; see ``review/decisions``."""


class Recovery:
    """Resumes the jobs that can still be answered, and ends the others with a message."""

    def __init__(
        self,
        jobs: JobRepository,
        waitlist: Waitlist,
        status_messages: StatusMessages,
        dispatcher: Dispatcher,
        messenger: Messenger,
        now: Callable[[], float],
    ) -> None:
        self._jobs = jobs
        self._waitlist = waitlist
        self._status_messages = status_messages
        self._dispatcher = dispatcher
        self._messenger = messenger
        self._now = now

    async def run(self) -> None:
        """Resume or end every open job. Called once, before the first new prompt is drawn."""
        await self.drop_terminal_jobs()
        await self._jobs.forget_dead_tokens(self._now() - TOKEN_LIFE_SECONDS)
        for job in await self._jobs.list_not_notified():
            await self._status_messages.finish(job)
        for job in await self._list(JobStatus.ACCEPTED):
            await self._find_out_if_answered(job)
        for job in await self._list(JobStatus.RUNNING):
            if job.num_tries >= MAX_ATTEMPTS:
                await self._apologise(job, Code.DRAWING_INTERRUPTED)
            else:
                await self._jobs.mark_requeued(job, attempted=True)
        waiting = await self._list(JobStatus.QUEUED)
        for job in waiting:
            if not _can_be_answered(job):
                await self._apologise(job, Code.RESTARTED_IN_QUEUE)
        self._waitlist.enqueue(*(job for job in waiting if _can_be_answered(job)))
        for job in await self._jobs.list_by_status(JobStatus.RENDERED):
            await self._dispatcher.resume_delivery(job)

    async def _list(self, status: JobStatus) -> list[Job]:
        """List the jobs that this version can draw. Others wait for the newer version."""
        jobs = await self._jobs.list_by_status(status)
        for job in jobs:
            if job.recipe.is_newer:
                of_job(log, job.job_id).error(
                    "not drawn: the recipe has version %s, and this Triptych only knows up to %s; "
                    "install the newer version again",
                    job.recipe.version,
                    RECIPE_VERSION,
                )
        return [job for job in jobs if not job.recipe.is_newer]

    async def drop_terminal_jobs(self) -> None:
        """End the jobs of interrupted terminal commands, because nobody is waiting for them."""
        for job in await self._jobs.list_by_status(*_OPEN):
            if job.origin.source is Source.TERMINAL:
                await self._jobs.mark_ended(
                    job.job_id,
                    JobStatus.FAILED,
                    reason=because(Code.COMMAND_INTERRUPTED),
                    now=self._now(),
                    leaving=_OPEN,
                    end_notified=True,
                )

    async def _find_out_if_answered(self, job: Job) -> None:
        """Check whether Discord has our first answer; if so, edit it and mark the job answered.

        End the job if there is no answer, because then the member never saw one. Also end it if
        the answer was a refusal, because the row was committed too late (``Intake``).
        """
        if job.origin.token is None:
            await self._apologise(job, Code.RESTARTED_BEFORE_TAKEN)
            return
        start = job.recipe.start
        if start is not None and not start.job_id:
            await self._apologise(job, Code.RESTARTED_BEFORE_UPLOAD)
            return
        message_id = None
        try:
            if await self._messenger.is_refused(job):
                await self._drop(job, Code.TOO_BUSY)
                return
            update = InReview() if job.is_held else Waiting(None)
            message_id = await self._messenger.progress(job, update)
        except NoMessage:
            await self._drop(job, Code.NEVER_ANSWERED)
            return
        except NotPosted as error:
            of_job(log, job.job_id).info(
                "is kept, because the member may have seen an answer (%s)", error
            )
        await self._jobs.mark_answered(job.job_id, message_id=message_id, now=self._now())

    async def _drop(self, job: Job, code: Code) -> None:
        """End a job without a message, because its member was never told that it was accepted."""
        of_job(log, job.job_id).info("ended without an answer: %s", code)
        await self._jobs.mark_ended(
            job.job_id,
            JobStatus.FAILED,
            reason=because(code),
            now=self._now(),
            leaving=[JobStatus.ACCEPTED],
            end_notified=True,
        )

    async def _apologise(self, job: Job, code: Code) -> None:
        ended = await self._jobs.mark_ended(
            job.job_id,
            JobStatus.FAILED,
            reason=because(code),
            now=self._now(),
            leaving=[JobStatus.ACCEPTED, JobStatus.QUEUED, JobStatus.RUNNING],
        )
        if ended is not None:
            await self._status_messages.finish(ended)


def _can_be_answered(job: Job) -> bool:
    """Return whether an answer can still be posted: with the job's token, or by the bot itself."""
    return job.origin.token is not None or job.origin.bot_in_channel
