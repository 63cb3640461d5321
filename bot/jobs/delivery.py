"""Posts the pictures of finished jobs, also after a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from bot.domain.audit import compose_audit_entry
from bot.domain.jobs import Job, JobStatus
from bot.domain.rules import Outcome
from bot.images.store import PictureWriter
from bot.jobs.ports import (
    TOKEN_LIFE_SECONDS,
    Delivery,
    MessageDeleted,
    Messenger,
    ReviewLane,
    Undeliverable,
    Unreachable,
    Unreadable,
)
from bot.jobs.presence import MEMBER_LEFT, Presence
from bot.jobs.status_messages import MESSAGE_DELETED, StatusMessages
from bot.ops.logs import of_job
from bot.policy.prompts import PromptGate
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

log = logging.getLogger(__name__)


class Deliverer:
    """Posts finished pictures. If that fails, the job is refunded and its files stay on disk.

    If the member has left or the message was deleted, the member pays for what was drawn, as after
    a cancellation.
    """

    def __init__(
        self,
        store: Repositories,
        writer: PictureWriter,
        messenger: Messenger,
        status_messages: StatusMessages,
        gate: PromptGate,
        lane: ReviewLane,
        now: Callable[[], float],
        again_seconds: float = 30.0,
    ) -> None:
        self._jobs = store.jobs
        self._writer = writer
        self._messenger = messenger
        self._status_messages = status_messages
        self._gate = gate
        self._lane = lane
        self.presence = Presence(messenger, now)
        self._audit = store.audit
        self._now = now
        self._again_seconds = again_seconds

    async def find_refusal(self, job: Job) -> Reason | None:
        """Return why a waiting job must not even be drawn, or None. All else is judged later.

        The owner may have marked its model as one of a real person since the job was accepted.
        """
        behind = await self._gate.look_behind(job.recipe.start, job.recipe.model)
        if not behind.depicts_person:
            return None
        verdict = await self._gate.judge_again(job)
        return verdict.reason if verdict.outcome is Outcome.REFUSE else None

    async def deliver(self, job: Job) -> Job | None:
        """Post a job's pictures if the rules still allow it, and return the job's new row."""
        if job.is_held:
            held = await self._jobs.mark_held(job.job_id, held_for=job.held_for, rule=job.rule)
            if held is not None:
                await self._lane.hold(held)
            return await self._jobs.fetch_job(job.job_id)
        if await self.presence.has_left(job):
            allowed = await self._drop(job)
        else:
            allowed = await self._pass_rules(job)
        if allowed is None or allowed.status is not JobStatus.RENDERED:
            return allowed
        job = allowed
        if job.approved_by is not None:
            await self._writer.release(job.job_id)
        files = await self._jobs.list_pictures(job.job_id)
        paths = await self._writer.locate(files)
        if paths is None:
            return await self._give_up(job, Unreadable("its pictures are gone"))
        delivery = Delivery.of(files, paths)
        try:
            message_id = await self._post(job, delivery)
        except Undeliverable as error:
            return await self._give_up(job, error)
        of_job(log, job.job_id).info("delivered")
        await self._jobs.forget_dead_tokens(self._now() - TOKEN_LIFE_SECONDS)
        return await self._jobs.mark_delivered(job.job_id, message_id=message_id, now=self._now())

    async def _drop(self, job: Job) -> Job | None:
        """End a job whose member has left, without a new message."""
        ended = await self._mark_ended(job, JobStatus.CANCELLED, MEMBER_LEFT, job.cost)
        if ended is not None:
            of_job(log, job.job_id).info("not posted: the member has left the server")
            await self._writer.remove(job.job_id)
            await self._status_messages.finish(ended)
        return ended

    async def _pass_rules(self, job: Job) -> Job | None:
        """Judge the prompt again, because the rules may have changed while the job waited. Return
        the job, which may now be covered, held or refused. None if its status has changed
        meanwhile.
        """
        verdict = await self._gate.judge_again(job)
        entry = compose_audit_entry(replace(job, accepted_at=self._now()), verdict)
        if entry is None or (verdict.is_allowed and job.spoiler):
            return job
        async with self._jobs.transaction():
            match verdict.outcome:
                case Outcome.SPOILER:
                    changed = await self._jobs.mark_covered(job.job_id)
                case Outcome.HOLD:
                    changed = await self._jobs.mark_held(
                        job.job_id, held_for=verdict.reason, rule=verdict.rule
                    )
                case _:
                    changed = await self._jobs.mark_ended(
                        job.job_id,
                        JobStatus.REFUSED,
                        reason=verdict.reason or because(Code.UNEXPLAINED),
                        now=self._now(),
                        leaving=[JobStatus.RENDERED],
                        rule=verdict.rule,
                    )
            if changed is not None:
                await self._audit.add(entry)
        of_job(log, job.job_id).info("judged again before delivery, rule %r applies", verdict.rule)
        if changed is not None and changed.status is JobStatus.HELD:
            await self._lane.hold(changed)
            return await self._jobs.fetch_job(job.job_id)
        if changed is not None and changed.status is JobStatus.REFUSED:
            await self._writer.remove(job.job_id)
            await self._status_messages.finish(changed)
        return changed

    async def _post(self, job: Job, delivery: Delivery) -> int | None:
        """Try until the message is posted, or until it is clear that it can never be posted.

        If the bot stops, the next start continues. Between two tries, other messages of the
        channel are updated.
        """
        while True:
            try:
                async with self._status_messages.finishing(job):
                    return await self._messenger.deliver(job, delivery)
            except Unreachable as error:
                of_job(log, job.job_id).warning("waits for Discord: %s", error)
                await asyncio.sleep(self._again_seconds)

    async def _give_up(self, job: Job, error: Undeliverable) -> Job | None:
        """End a job that can never be posted. If its message was deleted, delete its pictures."""
        of_job(log, job.job_id).warning("is undeliverable: %s", error)
        status, reason = JobStatus.UNDELIVERABLE, because(Code.NOT_POSTED, why=error.why)
        if isinstance(error, MessageDeleted):
            status, reason = JobStatus.CANCELLED, MESSAGE_DELETED
        elif isinstance(error, Unreadable):
            reason = because(Code.PICTURES_LOST)
        cost = job.cost if reason == MESSAGE_DELETED else 0.0
        ended = await self._mark_ended(job, status, reason, cost)
        if ended is not None:
            # Save the row first, so that the reason is not lost if the bot stops now.
            if isinstance(error, MessageDeleted):
                await self._writer.remove(job.job_id)
            await self._status_messages.finish(ended)
        return ended

    async def _mark_ended(
        self, job: Job, status: JobStatus, reason: Reason, cost: float
    ) -> Job | None:
        return await self._jobs.mark_ended(
            job.job_id,
            status,
            reason=reason,
            now=self._now(),
            leaving=[JobStatus.RENDERED],
            cost=cost,
        )
