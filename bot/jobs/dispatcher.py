"""Starts the next job in fair order when the engine has room, and carries it to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.domain.jobs import Job, JobStatus, Source
from bot.domain.pictures import PictureFile
from bot.engine import EnginePool, GenerationOutput, GenerationRequest, ModelInfo, Progress
from bot.errors import (
    EngineGone,
    EngineLost,
    GenerationCancelled,
    GenerationRejected,
    StoreError,
    UserError,
)
from bot.images.store import PictureWriter
from bot.jobs.delivery import Deliverer
from bot.jobs.ports import InProgress, ReviewLane, Waiting
from bot.jobs.presence import MEMBER_LEFT
from bot.jobs.queue.turns import Turns
from bot.jobs.queue.waitlist import Waitlist
from bot.jobs.start_images import StartPictures
from bot.jobs.status_messages import MESSAGE_DELETED, StatusMessages
from bot.moderation import PictureCheck
from bot.ops.logs import of_job
from bot.policy.pictures import PictureJudge, compose_picture_entry
from bot.store import Repositories
from bot.store.patience import outlast
from bot.texts.catalog import speaking
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
MAX_ENGINES = 5  # a job may be the cause if this many engines were lost while they drew it
STORE_RETRY_SECONDS = 5.0
TEND_SECONDS = 1.0
LOCKED_SECONDS = 600.0  # how long a drawn job waits while another program writes to the database
_CANCELLED = because(Code.CANCELLED)
# At most this share of the time is spent on computing places, which is slow for a long queue.
ANNOUNCE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Pictures:
    """The services that load start pictures, and check, judge and save finished pictures."""

    starts: StartPictures
    check: PictureCheck
    judge: PictureJudge
    writer: PictureWriter


class Dispatcher:
    """Chooses, begins and draws jobs. Each job in flight has one task."""

    def __init__(
        self,
        engine: EnginePool,
        store: Repositories,
        waitlist: Waitlist,
        status_messages: StatusMessages,
        lane: ReviewLane,
        pictures: Pictures,
        deliverer: Deliverer,
        now: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._jobs = store.jobs
        self._audit = store.audit
        self._waitlist = waitlist
        self._turns = Turns(waitlist, engine, now)
        self._status_messages = status_messages
        self._lane = lane
        self._starts = pictures.starts
        self._check = pictures.check
        self._judge = pictures.judge
        self._writer = pictures.writer
        self._deliverer = deliverer
        status_messages.drop = partial(self.cancel, reason=MESSAGE_DELETED)
        self._now = now
        self._progress: dict[int, Progress] = {}
        self._sketches: dict[int, NDArray[np.uint8]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._announcing: asyncio.TimerHandle | None = None
        self._is_announced = True
        self._lost: EngineLost | None = None

    async def run(self) -> None:
        """Draw until ``stop``. Raises ConfigError if no model can be loaded, and EngineLost."""
        self._check.prepare()
        watching = asyncio.create_task(self._tend_engines())
        try:
            await self._run()
        finally:
            watching.cancel()

    async def _run(self) -> None:
        loop, changed = asyncio.get_running_loop(), self._waitlist.changed
        self._engine.on_change = lambda: loop.call_soon_threadsafe(changed.set)
        loading = asyncio.wrap_future(self._engine.start())
        loading.add_done_callback(lambda _: changed.set())
        while not self._stopping:
            self._waitlist.changed.clear()
            try:
                if loading.done() and self._waitlist.info is None:
                    await self._welcome(loading.result())
                await self._waitlist.meet_engines()
                while (job := self._choose()) is not None:
                    await self._begin(job)
            except StoreError as error:  # for example, the disk is full; the jobs stay in the queue
                log.error("no job can be started, trying again in a moment: %s", error)
                loop.call_later(STORE_RETRY_SECONDS, self._waitlist.changed.set)
            if self._lost is not None:
                raise self._lost
            self._announce()
            await self._waitlist.changed.wait()

    def _announce(self) -> None:
        """Update the places that members see now, or after a pause if this was just done."""
        self._is_announced = self._announcing is None
        if self._announcing is None:
            loop = asyncio.get_running_loop()
            began_at = loop.time()
            self._show_places()
            pause_seconds = (loop.time() - began_at) / ANNOUNCE_SHARE
            self._announcing = loop.call_later(pause_seconds, self._announce_rest)

    def _announce_rest(self) -> None:
        self._announcing = None
        if not (self._is_announced or self._stopping):
            self._announce()

    def _show_places(self) -> None:
        """Show the places. Do not edit messages whose place is still the same."""
        waitlist, is_ready = self._waitlist, self._waitlist.info is not None
        for job_id, place in waitlist.places().items():
            self._status_messages.post(waitlist.queue.get(job_id), Waiting(place, is_ready))

    async def _welcome(self, info: ModelInfo) -> None:
        for note in info.notes:
            log.warning("%s", note)
        log.info("%s is ready on %s (%s)", info.name, info.device, info.dtype)
        await self._waitlist.welcome(info)

    async def stop(self, finish_seconds: float, requeue_seconds: float) -> None:
        """Start nothing more. Unfinished jobs go back to the queue for the next run."""
        self._stopping = True
        self._waitlist.changed.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=finish_seconds)
        for job_id in list(self._waitlist.running):
            self._engine.cancel(job_id)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=requeue_seconds)

    async def resume_delivery(self, job: Job) -> None:
        """Deliver a job whose pictures an earlier process drew."""
        self._spawn(job, self._deliver(job))

    async def cancel(self, job_id: int, reason: Reason = _CANCELLED) -> Job | None:
        """End a waiting or running job; None if it had already ended.

        The job costs the share of its steps that were drawn, whoever ends it. Otherwise members who
        may delete messages would draw for nothing.
        """
        progress = self._progress.get(job_id)
        running = self._waitlist.running.get(job_id)
        share = progress.step / progress.num_steps if progress else 0.0
        ended = await self._jobs.mark_ended(
            job_id,
            JobStatus.CANCELLED,
            reason=reason,
            now=self._now(),
            leaving=[
                JobStatus.ACCEPTED,
                JobStatus.HELD,
                JobStatus.QUEUED,
                JobStatus.RUNNING,
            ],
            cost=running.cost_estimate * share if running else 0.0,
        )
        if ended is not None:
            of_job(log, job_id).info("cancelled: %s", reason.code)
            self._waitlist.remove(job_id)
            self._waitlist.running.pop(job_id, None)  # from now on, late progress is not shown
            self._engine.cancel(job_id)
            self._waitlist.charge(ended)
            await self._status_messages.finish(ended)
            if ended.is_held:
                await self._lane.withdraw(ended)
        return ended

    def _choose(self) -> Job | None:
        if self._stopping or self._lost is not None or self._waitlist.info is None:
            return None
        return self._turns.choose()

    async def _begin(self, job: Job) -> None:
        try:
            fault = self._waitlist.take_refusal(job) or await self._deliverer.find_refusal(job)
            if fault is not None:
                raise UserError(fault)
            start = await self._starts.load(job)
        except UserError as error:
            self._waitlist.queue.remove(job.job_id)
            await self._end(job, JobStatus.REFUSED, error.reason)
            return
        running = await self._jobs.mark_running(job, now=self._now())
        self._waitlist.queue.remove(job.job_id)
        if running is None:
            return
        of_job(log, job.job_id).info("begins, attempt %s", running.attempt)
        self._waitlist.running[job.job_id] = running
        self._waitlist.charge(running)
        loop = asyncio.get_running_loop()

        def hand_over(progress: Progress) -> None:
            loop.call_soon_threadsafe(self._show_progress, running, progress)

        request = GenerationRequest(job.job_id, job.recipe, start)
        future = self._engine.submit(request, hand_over)
        num_steps = 1 if job.recipe.is_upscaled else job.recipe.num_inference_steps or 0
        self._status_messages.post(running, InProgress(0, num_steps))
        self._spawn(running, self._draw(running, future))
        self._track(self._drop_departed(running))  # drawing does not wait for this

    async def _drop_departed(self, job: Job) -> None:
        if await self._deliverer.presence.has_left(job):
            await self.cancel(job.job_id, MEMBER_LEFT)

    async def _draw(self, job: Job, future: Future[GenerationOutput]) -> None:
        try:
            output = await asyncio.wrap_future(future)
            rendered = await self._render(job, output)
        except GenerationCancelled:
            if await self._jobs.mark_requeued(job, attempted=False) is not None:
                # the bot is stopping; if a member cancels, ``cancel`` charges the job
                self._waitlist.use.refund(job.job_id)
            return
        finally:
            self._waitlist.running.pop(job.job_id, None)
            self._progress.pop(job.job_id, None)
            self._sketches.pop(job.job_id, None)
            self._waitlist.changed.set()
        if rendered is not None:
            await self._deliver(rendered)

    async def _deliver(self, job: Job) -> None:
        try:
            ended = await self._deliverer.deliver(job)
        except StoreError as error:  # an apology must not replace a grid that may be posted already
            of_job(log, job.job_id).error("will be delivered again at the next start: %s", error)
            return
        if ended is not None:  # an undeliverable job costs nothing
            self._waitlist.charge(ended)

    async def _render(self, job: Job, output: GenerationOutput) -> Job | None:
        images, recipe = output.images, job.recipe
        judgement = await self._judge.judge_drawn(job, images, output.nsfw_content_detected)
        if job.origin.source is Source.ROUND:  # each author may delete their words; files stay
            recipe = replace(recipe, prompt="", own_words=None)
        pictures = (job.job_id, recipe, images, judgement.verdicts, output.enlarged)
        with speaking(job.origin.shown_locale):
            files = await self._writer.write(*pictures)
        held_files: tuple[PictureFile, ...] = ()
        if judgement.held_for:
            held_files = await self._writer.write_held(*pictures)
        pace = self._waitlist.paces.of(output.engine)
        cost = pace.measure(job.cost_estimate, output.gpu_seconds)
        if not any(verdict.was_judged for verdict in judgement.verdicts):
            cost = 0.0  # this is a bug of ours, so no picture can be shown
        entry = compose_picture_entry(job, judgement, self._now())
        async with self._jobs.transaction():
            rendered = await self._jobs.mark_rendered(
                job.job_id,
                files,
                cost=cost,
                gpu_seconds=output.gpu_seconds,
                engine=output.engine,
                cut_words=output.cut_words,
                cut_negative_words=output.cut_negative_words,
                now=self._now(),
                spoiler=judgement.spoiler,
                held_for=judgement.held_for,
                held_files=held_files,
            )
            if rendered is not None and entry is not None:
                await self._audit.add(entry)
        if rendered is not None:
            pace.add(job.cost_estimate, output.gpu_seconds)
            self._waitlist.charge(rendered)
        else:  # the job was cancelled while its files were being written
            await self._writer.remove(job.job_id)
        return rendered

    def _spawn(self, job: Job, work: Coroutine[Any, Any, object]) -> None:
        self._track(self._guard(job, work))

    def _track(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._waitlist.changed.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a job is left as it is until the bot starts again", exc_info=error)

    async def _guard(self, job: Job, work: Coroutine[Any, Any, object]) -> None:
        outlast(LOCKED_SECONDS)
        try:
            await work
        except EngineGone as error:
            of_job(log, job.job_id).warning("goes to another engine: %s", error)
            await self._retry_or_fail(job, engine_is_gone=True)
        except EngineLost as error:
            self._lost = error
            await self._retry_or_fail(job)
        except GenerationRejected as error:
            await self._end(job, JobStatus.REFUSED, error.reason)
        except StoreError as error:
            of_job(log, job.job_id).error("%s", error)
            await self._end(job, JobStatus.FAILED, error.reason)
        except Exception:  # boundary: a fault in one job must not stop the queue
            log.exception(
                "job %s failed at attempt %s", job.job_id, job.attempt, extra={"job_id": job.job_id}
            )
            await self._retry_or_fail(job)

    async def _retry_or_fail(self, job: Job, *, engine_is_gone: bool = False) -> None:
        job = replace(job, engines_lost=job.engines_lost + engine_is_gone)
        if job.num_tries >= MAX_ATTEMPTS or job.engines_lost >= MAX_ENGINES:
            await self._end(job, JobStatus.FAILED, because(Code.DRAWING_FAILED))
            return
        try:
            waiting = await self._jobs.mark_requeued(job, attempted=True)
        except StoreError as error:
            await self._end(job, JobStatus.FAILED, error.reason)
            return
        if waiting is not None:
            self._waitlist.use.refund(job.job_id)
            self._waitlist.enqueue(waiting)

    async def _end(self, job: Job, status: JobStatus, reason: Reason) -> None:
        try:
            ended = await self._jobs.mark_ended(
                job.job_id,
                status,
                reason=reason,
                now=self._now(),
                leaving=[JobStatus.QUEUED, JobStatus.RUNNING],
            )
        except StoreError as error:  # tell the member now; the next start corrects the row
            of_job(log, job.job_id).error("the job ended, but this could not be saved: %s", error)
            ended = replace(job, status=status, reason=reason)
        if ended is not None:
            of_job(log, job.job_id).info("ended: %s", status)
            self._waitlist.use.refund(job.job_id)
            await self._status_messages.finish(ended)

    async def _tend_engines(self) -> None:
        """Look after the engines once a second, until none is left.

        If a device hangs, its jobs stay ``running`` in the database, so that the next process
        counts this as an attempt.
        """
        while self._lost is None:
            await asyncio.sleep(TEND_SECONDS)
            try:
                self._engine.tend()
            except Exception:  # boundary: a fault with one engine must not stop the others
                log.exception("the engines could not be looked after, trying again")
            if self._engine.lost is not None:
                self._lost = self._engine.lost
                self._waitlist.changed.set()

    def _show_progress(self, job: Job, progress: Progress) -> None:
        if self._waitlist.running.get(job.job_id) is job:  # not a later attempt at the same job
            self._progress[job.job_id] = progress
            if progress.preview is not None:
                self._sketches[job.job_id] = progress.preview
            sketch = self._sketches.get(job.job_id)
            self._status_messages.post(job, InProgress(progress.step, progress.num_steps, sketch))
