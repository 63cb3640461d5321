"""Takes every new prompt: checks rules and quotas, commits the row, and only then answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from bot.domain.audit import AuditAction, compose_audit_entry, compose_entry
from bot.domain.guilds import GuildSettings, RoleQuota
from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.recipes import Ask, Recipe, Upload
from bot.domain.rules import MINORS, SUSPENDED, Outcome, Verdict
from bot.errors import NotInQueueYet, StoreError, Unconfirmed, UserError, WorkerUnavailable
from bot.jobs.model_choice import choose_model
from bot.jobs.ports import (
    AnsweredElsewhere,
    Caller,
    PlaceClosed,
    ReviewLane,
    Undeliverable,
    Unreachable,
)
from bot.jobs.queue.quota_check import QuotaCheck
from bot.jobs.queue.waitlist import Waitlist
from bot.jobs.refusals import Refusals
from bot.jobs.start_images import StartPictures, Unusable
from bot.jobs.status_messages import StatusMessages
from bot.moderation.text import clean_prompt
from bot.ops.locks import KeyedLocks
from bot.ops.logs import of_job
from bot.policy.admission import compose_quota, find_admission_refusal
from bot.policy.prompts import PromptGate
from bot.policy.quotas import Quotas
from bot.recipes.resolve import compose_recipe
from bot.recipes.validate import ParameterLimits, check_ask
from bot.store import Repositories
from bot.store.patience import in_time, take_time
from bot.texts.codes import Code
from bot.texts.faults import NOT_IN_QUEUE, RECORD_GONE
from bot.texts.reasons import Reason, because

log = logging.getLogger(__name__)

# few prompts are saved at once, so that the first of 500 does not wait for the last
_MAX_COMMITS_AT_ONCE = 64
# for each server; few, so that a refusal counts before the member's other prompts are judged
_MAX_OF_MEMBER_AT_ONCE = 8
_MAX_MODEL_LENGTH = 200
_MAX_NAME_LENGTH = 40  # no sampler or preset has a longer name, and the row stores what was typed
_AGAIN_SECONDS = 1.0
_PATIENCE_SECONDS = 8.0  # the database waits up to 5 s for a lock, for example during a copy
# the verdict for prompts that are refused for another reason, and so are not judged
_NOT_JUDGED = Verdict(Outcome.ALLOW)
_STARTS_COVERED = because(Code.STARTS_COVERED)
_DRAINING = because(Code.RESTARTING)


@dataclass(frozen=True, slots=True)
class _Row:
    """Everything that is stored about a new prompt."""

    origin: Origin
    recipe: Recipe
    quota: RoleQuota
    cost: float
    verdict: Verdict
    press: str


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where an accepted job goes next: the queue, the moderators, or the message about its end."""

    waitlist: Waitlist
    lane: ReviewLane
    status_messages: StatusMessages


class Intake:
    """Accepts or refuses each new prompt. No other code inserts jobs."""

    def __init__(
        self,
        store: Repositories,
        gate: PromptGate,
        destinations: Destinations,
        starts: StartPictures,
        *,
        limits: ParameterLimits,
        quotas: Quotas,
        now: Callable[[], float],
        random_seed: Callable[[], int],
    ) -> None:
        self._jobs = store.jobs
        self._audit = store.audit
        self._gate = gate
        self._waitlist = destinations.waitlist
        self._lane = destinations.lane
        self._status_messages = destinations.status_messages
        self._starts = starts
        self._limits = limits
        self.quotas = quotas
        self._quota_check = QuotaCheck(quotas, store.standing, destinations.waitlist, now)
        self.refusals = Refusals(store.audit, quotas.max_refused_per_member_per_hour, now)
        self._now = now
        self._random_seed = random_seed
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._settling: set[asyncio.Task[Job | None]] = set()
        self._members = KeyedLocks[tuple[int | None, int]](_MAX_OF_MEMBER_AT_ONCE)
        self._looks = asyncio.Semaphore(_MAX_COMMITS_AT_ONCE)
        self._commits = asyncio.Semaphore(_MAX_COMMITS_AT_ONCE)
        self.draining = False

    async def submit(
        self, ask: Ask, origin: Origin, caller: Caller, refusal: Reason | None = None
    ) -> Job | None:
        """Take a prompt; return its row after the first answer.

        None if there already is a job for this interaction (Discord may send it twice), or if a job
        from the same press of a button still waits or is being drawn. refusal: why the prompt
        cannot be drawn, if the caller already knows that. Raises StoreError if nothing could be
        recorded in time; then the prompt is never drawn. Raises UserError if too many of this
        member's prompts were refused.
        """
        if not self._jobs.is_in_place():
            raise StoreError(RECORD_GONE())
        ask = replace(
            ask,
            prompt=clean_prompt(ask.prompt),
            negative_prompt=clean_prompt(ask.negative_prompt),
            own_words=ask.own_words and clean_prompt(ask.own_words),
            sampler=_clean_name(ask.sampler),
            preset=_clean_name(ask.preset),
            model=_clean_name(ask.model, _MAX_MODEL_LENGTH),
        )
        self._in_hand += 1
        self._idle.clear()
        try:
            return await self._take(ask, origin, caller, refusal)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def drain(self, max_seconds: float) -> None:
        """Wait until everybody who asked has been answered."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max_seconds):
                await self._idle.wait()
        for task in self._settling:  # the next start finishes these jobs
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)

    async def _take(
        self, ask: Ask, origin: Origin, caller: Caller, refusal: Reason | None
    ) -> Job | None:
        async with self._members[origin.guild_id, origin.user_id]:
            self.refusals.check(origin)
            job = await self._commit(ask, origin, refusal)
        if job is None:
            return None
        take_time()
        said = "(sealed)" if job.rule == MINORS else ask.prompt
        of_job(log, job.job_id).debug("user %s: %r", origin.user_id, said)
        if job.status is JobStatus.REFUSED:
            of_job(log, job.job_id).info("a prompt of user %s is refused", origin.user_id)
            reason = job.reason or because(Code.UNEXPLAINED)
            await caller.refuse(reason, can_appeal=job.rule == SUSPENDED)
            return job
        return await self._answer(job, caller, ask.upload)

    async def _commit(self, ask: Ask, origin: Origin, refusal: Reason | None) -> Job | None:
        """Insert the row. While a prompt is judged, other prompts do not wait."""
        async with self._looks:
            settings = await self._gate.fetch_settings(origin)
            quota = compose_quota(settings, origin.role_ids)
            suspended = await self._gate.find_suspended(origin)
            refusal = self._find_plain_refusal(ask, origin, settings, refusal)
            if suspended is not None:
                refusal = refusal or suspended.reason
            ask, unusable = choose_model(self._waitlist.models, ask, origin, settings)
            refusal = refusal or unusable
            recipe = compose_recipe(ask, self._random_seed())
            if refusal is None:
                _, cost, refusal = self._price(recipe, None)
                refusal = refusal or await self._quota_check.find_refusal(origin, quota, cost)
        verdict = suspended or _NOT_JUDGED
        if refusal is None:
            verdict, refusal = await self._judge(ask, origin, settings)
        async with self._commits:
            source = await self._starts.fetch_source(recipe)
            if source is not None and source.spoiler and verdict.outcome is Outcome.ALLOW:
                verdict = replace(verdict, outcome=Outcome.SPOILER, reason=_STARTS_COVERED)
            recipe, cost, refusal = self._price(recipe, refusal)
            row = _Row(origin, recipe, quota, cost, verdict, ask.press)
            return await self._insert(row, refusal)

    async def _insert(self, row: _Row, refusal: Reason | None) -> Job | None:
        job = None
        try:
            # One transaction, so that two prompts cannot both take the last place.
            async with self._jobs.transaction():
                if refusal is None:
                    refusal = await self._quota_check.find_refusal(row.origin, row.quota, row.cost)
                if refusal is not None:
                    self.refusals.book(row.origin)
                job = await self._jobs.insert_job(
                    row.origin,
                    row.recipe,
                    now=self._now(),
                    cost_estimate=row.cost,
                    refusal=refusal,
                    verdict=row.verdict,
                    press=row.press,
                    weight=row.quota.weight or 1.0,
                )
                entry = None if job is None else compose_audit_entry(job, row.verdict)
                is_decision = refusal is None or row.verdict.outcome is Outcome.REFUSE
                if entry is not None and is_decision:
                    await self._audit.add(entry)
        except Unconfirmed:
            if job is not None:
                self._insist(job, partial(self._retract, job))
            raise StoreError(because(Code.TOO_BUSY)) from None
        return job

    async def _retract(self, job: Job) -> Job | None:
        """End a job that was committed too late. If the commit failed, another job has its id."""
        async with self._jobs.transaction():
            found = await self._jobs.fetch_job(job.job_id)
            if found is None or found.origin.interaction_id != job.origin.interaction_id:
                return None
            of_job(log, job.job_id).warning("was committed too late, so it is not drawn")
            return await self._jobs.mark_ended(
                job.job_id,
                JobStatus.FAILED,
                reason=because(Code.TOO_BUSY),
                now=self._now(),
                leaving=[JobStatus.ACCEPTED],
                end_notified=True,
            )

    def _find_plain_refusal(
        self, ask: Ask, origin: Origin, settings: GuildSettings, refusal: Reason | None
    ) -> Reason | None:
        """Find a reason to refuse the prompt, apart from the rules and the queue. None if it is
        fine.
        """
        refusal = _DRAINING if self.draining else refusal
        try:
            check_ask(ask, self._limits)
        except UserError as error:
            refusal = refusal or error.reason
        return refusal or find_admission_refusal(origin, settings, self._now())

    def _price(self, recipe: Recipe, refusal: Reason | None) -> tuple[Recipe, float, Reason | None]:
        """Return the complete recipe, cost and refusal. Not async, so the model cannot change."""
        try:
            recipe, cost = self._waitlist.price(recipe)
        except UserError as error:
            return recipe, 0.0, refusal or error.reason
        return recipe, 0.0 if refusal else cost, refusal

    async def _judge(
        self, ask: Ask, origin: Origin, settings: GuildSettings
    ) -> tuple[Verdict, Reason | None]:
        """Return the verdict of the rules and, if they refuse, the reason."""
        try:
            async with in_time():
                verdict = await self._gate.judge(
                    origin, ask.prompt, ask.negative_prompt, settings, ask.start, ask.model
                )
        except WorkerUnavailable:
            return _NOT_JUDGED, _DRAINING
        if not verdict.is_allowed:
            log.info(
                "a prompt of user %s matched rule %r (reading: %s)",
                origin.user_id,
                verdict.rule,
                verdict.form,
            )
        return verdict, verdict.reason if verdict.outcome is Outcome.REFUSE else None

    async def _answer(self, job: Job, caller: Caller, upload: Upload | None) -> Job | None:
        message_id = None
        try:
            message_id = await caller.acknowledge(job)
        except Unreachable as error:
            of_job(log, job.job_id).warning("may not have been acknowledged: %s", error)
        except Undeliverable as error:
            of_job(log, job.job_id).warning("could not be acknowledged: %s", error)
            is_closed = isinstance(error, PlaceClosed)
            reason = because(Code.THREAD_CLOSED if is_closed else Code.ANSWERED_TOO_LATE)
            reason = error.why if isinstance(error, AnsweredElsewhere) else reason
            ended = await self._jobs.mark_ended(
                job.job_id,
                JobStatus.FAILED,
                reason=reason,
                now=self._now(),
                leaving=[JobStatus.ACCEPTED],
                end_notified=True,
            )
            if is_closed:
                await caller.refuse(reason)
            return ended
        unusable = await self._starts.take(job, upload, caller) if upload else None
        if job.origin.source is Source.TERMINAL:
            return await self._settle(job, message_id, unusable)
        task = self._insist(job, partial(self._settle, job, message_id, unusable))
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
        if not done:
            raise NotInQueueYet(NOT_IN_QUEUE())
        return task.result()

    def _forget(self, job: Job, task: asyncio.Task[Job | None]) -> None:
        self._settling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            of_job(log, job.job_id).error(
                "is left as it is until the bot starts again", exc_info=error
            )

    def _insist(
        self, job: Job, settle: Callable[[], Awaitable[Job | None]]
    ) -> asyncio.Task[Job | None]:
        """Retry until the job's next state is saved, because the member already has an answer."""

        async def retry() -> Job | None:
            take_time()
            while True:
                try:
                    return await settle()
                except StoreError as error:
                    of_job(log, job.job_id).error(
                        "the member has an answer, but the new state is not saved yet: %s", error
                    )
                await asyncio.sleep(_AGAIN_SECONDS)

        task = asyncio.create_task(retry())
        self._settling.add(task)
        task.add_done_callback(partial(self._forget, job))
        return task

    async def _settle(
        self, job: Job, message_id: int | None, unusable: Unusable | None
    ) -> Job | None:
        if unusable is not None:
            return await self._refuse_upload(job, unusable, message_id)
        answered = await self._jobs.mark_answered(
            job.job_id, message_id=message_id, now=self._now()
        )
        if answered is None:
            return await self._finish_cancelled(job, message_id)
        of_job(log, job.job_id).info("user %s %s", job.origin.user_id, answered.status)
        if answered.status is JobStatus.HELD:
            await self._lane.hold(answered)
        else:
            self._waitlist.enqueue(answered)
        return answered

    async def _finish_cancelled(self, job: Job, message_id: int | None) -> Job | None:
        """If the job was cancelled before its message existed, show this in the message."""
        ended = await self._jobs.fetch_job(job.job_id)
        if ended is not None and ended.status is JobStatus.CANCELLED:
            await self._status_messages.finish(replace(ended, message_id=message_id))
        return ended

    async def _refuse_upload(
        self, job: Job, unusable: Unusable, message_id: int | None
    ) -> Job | None:
        if unusable.is_decision:
            self.refusals.note(job.origin)
        async with self._jobs.transaction():
            ended = await self._jobs.mark_ended(
                job.job_id,
                JobStatus.REFUSED,
                reason=unusable.reason,
                now=self._now(),
                leaving=[JobStatus.ACCEPTED],
            )
            if ended is not None and unusable.is_decision:
                entry = compose_entry(AuditAction.UPLOAD_REFUSED, ended, self._now())
                await self._audit.add(entry)
        if ended is None:
            return await self._finish_cancelled(job, message_id)
        of_job(log, job.job_id).info("the uploaded picture was refused")
        await self._status_messages.finish(replace(ended, message_id=message_id))
        return ended


def _clean_name(name: str | None, length: int = _MAX_NAME_LENGTH) -> str | None:
    return None if name is None else clean_prompt(name)[:length]
