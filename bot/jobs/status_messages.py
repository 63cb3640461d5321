"""Edits the jobs' messages. Edits are few, show the newest state, and favour the queue's front.

Discord limits how often messages of one channel may be edited, so the messages of a channel share
a number of edits a minute: a message at place n gets its turn about n times as seldom as the first.
An edit counts from its start until one window after it ends, because Discord may apply it at any
time in between.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bot.domain.jobs import Job, JobStatus, Source
from bot.errors import StoreError
from bot.jobs.ports import (
    Ended,
    InProgress,
    MessageDeleted,
    Messenger,
    NotPosted,
    Undeliverable,
    Unreachable,
    Update,
    Waiting,
)
from bot.ops.logs import of_job
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

# how many edits run at once; few, so that first answers and finished pictures do not wait
MAX_EDITS_AT_ONCE = 2

_BURSTS = 4  # a quarter of a window may use only a quarter of the window's edits

MESSAGE_DELETED = because(Code.MESSAGE_DELETED)

Show = Callable[[], Awaitable[None]]
Develop = Callable[[Job, InProgress], Awaitable[Update]]


@dataclass(frozen=True, slots=True)
class Pacing:
    """How often messages are edited.

    max_edits: the most edits in one channel and window, finished pictures included. for_finished:
    how many of them are reserved for finished pictures, which never wait. again_seconds: the pause
    if Discord did not answer at all.
    """

    interval_seconds: float = 3.0
    window_seconds: float = 60.0
    max_edits: int = 25
    for_finished: int = 5
    again_seconds: float = 30.0


class StatusMessages:
    """Updates each channel's messages in turn. Only a job's newest state is sent.

    develop: makes the preview of a running job just before it is shown. drop: ends a
    job whose message somebody has deleted.
    """

    def __init__(
        self,
        messenger: Messenger,
        pacing: Pacing | None = None,
        develop: Develop | None = None,
        mark_end_notified: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._messenger = messenger
        self._mark_end_notified = mark_end_notified
        self.drop: Callable[[int], Awaitable[object]] | None = None
        self._pacing = pacing or Pacing()
        self._develop = develop
        self._turns = asyncio.Semaphore(MAX_EDITS_AT_ONCE)
        self._channels: dict[int | None, _Channel] = {}
        self._insisting: set[asyncio.Future[object]] = set()

    def post(self, job: Job, update: Update) -> None:
        """Show ``update`` as soon as the job's message may be edited again."""
        self._channel_of(job.origin.channel_id).post(
            job.job_id, update, partial(self._edit, job, update)
        )

    def refresh(self, channel_id: int, round_id: int, show: Show) -> None:
        """Call ``show`` as soon as the round's message may be edited again.

        Further calls until then lead to the same one edit. It shows the newest state.
        """
        self._channel_of(channel_id).post(-round_id, Waiting(None), show, is_new=True)

    def forget(self, channel_id: int, round_id: int) -> None:
        """Do not edit the message of a round any more."""
        self._channel_of(channel_id).messages.pop(-round_id, None)

    async def show_now(self, channel_id: int, round_id: int, show: Show) -> None:
        """Call ``show`` at once. This replaces a refresh that waits."""
        channel = self._channel_of(channel_id)
        channel.begin_edit()
        try:
            await channel.forget(-round_id)
            await show()
        finally:
            channel.end_edit()

    async def finish(self, job: Job) -> None:
        """Show how a job ended without pictures.

        Waits for a running edit, then tries once. If that fails, retries go on in the background
        until one succeeds, or until it is clear that no retry can succeed.
        """
        if await self.try_finish(job):
            return
        self._spawn(self._insist(job))

    async def try_finish(self, job: Job) -> bool:
        """Stop other edits and show how the job ended. If that fails, send its member a message.

        Returns False if the caller has to try again later.
        """
        async with self.finishing(job):
            try:
                await self._say_end(job)
            except Unreachable as error:
                of_job(log, job.job_id).info(
                    "the message does not show the job's end yet, trying again: %s", error
                )
                return False
        if self._mark_end_notified is not None:
            try:
                await self._mark_end_notified(job.job_id)
            except StoreError as error:  # the next start will show the end once more
                of_job(log, job.job_id).warning(
                    "the message shows the job's end, but this could not be saved: %s", error
                )
        return True

    @asynccontextmanager
    async def finishing(self, job: Job) -> AsyncIterator[None]:
        """Inside this block, let only the caller edit the message, to show how the job ended."""
        channel = self._channel_of(job.origin.channel_id)
        channel.begin_edit()
        try:
            await channel.forget(job.job_id)
            yield
        finally:
            channel.end_edit()

    async def close(self) -> None:
        """Stop at once, without waiting for running edits; messages stay as they are."""
        tasks: list[asyncio.Future[Any]] = [*self._insisting]
        for channel in self._channels.values():
            tasks += channel.list_tasks()
        self._channels.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Awaitable[object]) -> None:
        task = asyncio.ensure_future(work)
        self._insisting.add(task)
        task.add_done_callback(self._insisting.discard)
        task.add_done_callback(_log_fault)

    async def _insist(self, job: Job) -> None:
        while True:
            await asyncio.sleep(self._pacing.again_seconds)
            if await self.try_finish(job):
                return

    async def _say_end(self, job: Job) -> None:
        """Show the end in the job's message, or remove the message and tell only the member."""
        if job.origin.source is Source.ROUND:  # its message is also that of the round
            await self._try(job, self._messenger.progress(job, Ended()))
            return
        is_private = _concerns_member_alone(job)
        if not is_private and await self._try(job, self._messenger.progress(job, Ended())):
            return
        is_removed = await self._try(job, self._messenger.remove(job))
        is_left = is_private and not is_removed
        if is_left and await self._try(job, self._messenger.progress(job, Ended())):
            return
        if job.status is not JobStatus.CANCELLED or job.reason == MESSAGE_DELETED:
            await self._try(job, self._messenger.tell(job, job.reason))
        # A person who cancelled the job already has an answer.

    async def _try(self, job: Job, work: Awaitable[object]) -> bool:
        try:
            await work
        except Undeliverable as error:
            of_job(log, job.job_id).info("no message could show how the job ended: %s", error)
            return False
        return True

    def _channel_of(self, channel_id: int | None) -> _Channel:
        if channel_id not in self._channels:
            self._channels = {id_: c for id_, c in self._channels.items() if not c.has_ended()}
            self._channels[channel_id] = _Channel(self._pacing, self._turns)
        return self._channels[channel_id]

    async def _edit(self, job: Job, update: Update) -> None:
        if isinstance(update, InProgress) and update.sketch is not None and self._develop:
            update = await self._develop(job, update)
        try:
            await self._messenger.progress(job, update)
        except MessageDeleted as error:
            of_job(log, job.job_id).info("somebody deleted the message: %s", error)
            if self.drop is not None:  # run it in a task, because it waits for the end of this edit
                self._spawn(self.drop(job.job_id))
        except NotPosted as error:
            of_job(log, job.job_id).info("the message was not edited: %s", error)


@dataclass(slots=True, eq=False)
class _Message:
    """A message. latest: the update still to be shown, or None. show: shows it. shown_at: monotonic
    time.
    """

    latest: Update | None = None
    show: Show | None = None
    shown: Update | None = None
    shown_at: float = float("-inf")
    editing: asyncio.Task[None] | None = None

    @property
    def place(self) -> int:
        """Return the job's place in the queue; 0 if it is being drawn or the place is unknown."""
        place = self.latest.place if isinstance(self.latest, Waiting) else None
        return 0 if place is None else place.position


@dataclass(eq=False)
class _Channel:
    """The messages of one channel, and the times when edits of them ended.

    messages: by the id of the job, or by the negative id of the round.

    Its task ends when there is nothing to show. The next update starts the task again.
    """

    pacing: Pacing
    turns: asyncio.Semaphore
    messages: dict[int, _Message] = field(default_factory=dict)
    edits: deque[float] = field(default_factory=deque)
    num_under_way: int = 0
    conductor: asyncio.Task[None] | None = None

    def post(self, key: int, update: Update, show: Show, *, is_new: bool = False) -> None:
        message = self.messages.setdefault(key, _Message())
        if not is_new and update == (message.latest or message.shown):
            return
        message.latest, message.show = update, show
        self._wake()

    async def forget(self, key: int) -> None:
        """Stop editing this message, and wait for an edit that is running."""
        message = self.messages.pop(key, None)
        if message is not None and message.editing is not None:
            await asyncio.gather(message.editing, return_exceptions=True)

    def begin_edit(self) -> None:
        """Remember that an edit starts: Discord may apply it from now on."""
        self.num_under_way += 1

    def end_edit(self) -> None:
        """Remember that an edit ended: Discord may have applied it only now."""
        self.num_under_way -= 1
        self.edits.append(_now())

    def has_ended(self) -> bool:
        """Return whether the channel can be forgotten."""
        self._drop_old_edits()
        return not (self.messages or self.edits or self.num_under_way)

    def list_tasks(self) -> list[asyncio.Task[None]]:
        """List the running tasks."""
        tasks = [message.editing for message in self.messages.values()] + [self.conductor]
        self.messages.clear()
        return [task for task in tasks if task is not None]

    def _wake(self) -> None:
        if self.conductor is None or self.conductor.done():
            self.conductor = asyncio.create_task(self._conduct())
            self.conductor.add_done_callback(_log_fault)

    async def _conduct(self) -> None:
        while (delay := self._delay_seconds()) is not None:
            if delay > 0:
                # Look again after one interval at the latest, because there may be new messages.
                await asyncio.sleep(min(delay, self.pacing.interval_seconds))
                continue
            await self.turns.acquire()
            message = self._choose()
            if message is None or message.show is None:  # nothing is left to show
                self.turns.release()
                continue
            message.shown, message.latest = message.latest, None
            self.begin_edit()
            message.editing = asyncio.create_task(self._show(message, message.show))
            message.editing.add_done_callback(_log_fault)

    def _delay_seconds(self) -> float | None:
        """Return the seconds until a message may be edited; None if there is nothing to show."""
        now = _now()
        due = [each.shown_at + self.pacing.interval_seconds for each in self._list_ready()]
        if not due:
            return None
        self._drop_old_edits()
        room = max(self.pacing.max_edits - self.pacing.for_finished, 1)
        # Spread the edits over the window, so that finished pictures have room at any time.
        burst = -(-room // _BURSTS)
        return max(min(due), self._find_free(room, 1), self._find_free(burst, burst / room)) - now

    def _find_free(self, count: int, share: float) -> float:
        """Return when the next edit is allowed: ``count`` edits in each ``share`` of a window."""
        ended = count - self.num_under_way
        if ended <= 0:
            return float("inf")
        if len(self.edits) < ended:
            return float("-inf")
        return self.edits[-ended] + share * self.pacing.window_seconds

    def _list_ready(self) -> list[_Message]:
        return [each for each in self.messages.values() if each.latest and each.editing is None]

    def _choose(self) -> _Message | None:
        """Choose the message that waited longest. Near the front, the same wait counts more."""
        now = _now()
        due = [
            each
            for each in self._list_ready()
            if each.shown_at + self.pacing.interval_seconds <= now
        ]
        return max(
            due,
            key=lambda each: ((now - each.shown_at) / (1 + each.place), -each.place),
            default=None,
        )

    async def _show(self, message: _Message, show: Show) -> None:
        try:
            await show()
        finally:
            self.end_edit()
            message.shown_at = _now()
            message.editing = None
            self.turns.release()
            if message.latest is not None:
                self._wake()

    def _drop_old_edits(self) -> None:
        oldest = _now() - self.pacing.window_seconds
        while self.edits and self.edits[0] <= oldest:
            self.edits.popleft()


def _concerns_member_alone(job: Job) -> bool:
    """Return whether only the member, not the whole channel, has to know how the job ended."""
    is_upload = job.reason is not None and job.reason.code.startswith("upload_")
    is_refused_upload = job.status is JobStatus.REFUSED and is_upload
    return job.status is JobStatus.CANCELLED or is_refused_upload


def _now() -> float:
    return asyncio.get_running_loop().time()


def _log_fault(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("updates of a message stopped after an error", exc_info=error)
