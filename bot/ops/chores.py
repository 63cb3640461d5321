"""Runs periodic background work. A chore that fails is tried again and does not stop the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.errors import StoreError, UserError

log = logging.getLogger(__name__)

FAULT_AFTER = 3
"""After this many failures in a row, /healthz reports the chore as a fault."""

LONGEST_PAUSE_SECONDS = 3600.0
_FIRST_PAUSE_SECONDS = 30.0

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Chore:
    """A piece of periodic work.

    run: does one round. needs_discord: starts after the login. stop: ends what still runs when the
    bot stops.
    """

    name: str
    interval_seconds: float
    run: Work
    needs_discord: bool = False
    stop: Work | None = None


@dataclass(slots=True)
class ChoreRecord:
    """The failures of a chore. total: since the start. in_a_row: since it last succeeded.

    last_fault: where it failed and with which kind of error. The error's own text is left out,
    because it may quote members.
    """

    total: int = 0
    in_a_row: int = 0
    last_fault: str = ""


class SomeFailed(Exception):
    """Raised at the end of a round if parts failed, or are paused because they failed earlier.

    errors: the errors of this round, by part. in_a_row: how often the worst part failed in a row.
    """

    def __init__(self, errors: Mapping[str, BaseException], in_a_row: int) -> None:
        super().__init__(", ".join(errors) or "parts that failed before are paused")
        self.errors = errors
        self.in_a_row = in_a_row


class Apart:
    """Runs the parts of a chore independently. A part that fails is paused, longer each time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # for each failing part: its failures in a row, and when its pause ends
        self._failing: dict[str, tuple[int, float]] = {}

    async def run(self, parts: Mapping[str, Work]) -> None:
        """Run every part (such as ``guild 7``) that is not paused. Raises SomeFailed at the end."""
        self._failing = {name: each for name, each in self._failing.items() if name in parts}
        errors: dict[str, BaseException] = {}
        for name, work in parts.items():
            in_a_row, paused_until = self._failing.get(name, (0, 0.0))
            if self._now() < paused_until:
                continue
            error = await attempt(work)
            if error is None:
                self._failing.pop(name, None)
                continue
            errors[name] = error
            pause_seconds = compute_pause(in_a_row + 1, _FIRST_PAUSE_SECONDS)
            self._failing[name] = in_a_row + 1, self._now() + pause_seconds
        if self._failing:
            raise SomeFailed(errors, self.in_a_row)

    @property
    def in_a_row(self) -> int:
        """Return how often in a row the worst part has failed."""
        return max((in_a_row for in_a_row, _ in self._failing.values()), default=0)


class Lanes:
    """Runs the parts of each server in a task of its own, so that no server waits for another.

    A round waits for the tasks that it starts, but not longer than ``patience_seconds``. The next
    rounds leave out the servers whose tasks still run.
    """

    def __init__(self, now: Callable[[], float], patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        self._now = now
        self._apart: dict[int, Apart] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self, parts: Mapping[int, Mapping[str, Work]]) -> None:
        """Start the parts of every server that is not busy.

        Raises SomeFailed for all servers whose parts ended since the last round.
        """
        kept = {*parts, *self._tasks}
        self._apart = {each: self._apart.get(each, Apart(self._now)) for each in kept}
        started = {
            guild_id: asyncio.create_task(self._apart[guild_id].run(of_guild))
            for guild_id, of_guild in parts.items()
            if guild_id not in self._tasks
        }
        self._tasks |= started
        if started:
            await asyncio.wait(started.values(), timeout=self.patience_seconds)
        errors = self._collect()
        in_a_row = max((each.in_a_row for each in self._apart.values()), default=0)
        if in_a_row:
            raise SomeFailed(errors, in_a_row)

    def _collect(self) -> dict[str, BaseException]:
        """Forget the tasks that ended, and return their errors by server and part."""
        errors: dict[str, BaseException] = {}
        for guild_id, task in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[guild_id]
            match task.exception():
                case None:
                    pass
                case SomeFailed() as failed:
                    of_guild = failed.errors.items()
                    errors |= {f"guild {guild_id}, {part}": each for part, each in of_guild}
                case error:
                    raise error
        return errors

    async def stop(self) -> None:
        """Cancel what still runs, and wait for its end."""
        tasks = list(self._tasks.values())
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Chores:
    """Runs all chores of a process. online: set once the bot is logged in and has recovered."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self.online = asyncio.Event()
        self.records: dict[str, ChoreRecord] = {}

    async def run(self, chores: Sequence[Chore]) -> None:
        """Run each chore at once, and then again at its interval, until this task is cancelled."""
        self.records.update({chore.name: ChoreRecord() for chore in chores})
        try:
            async with asyncio.TaskGroup() as group:
                for chore in chores:
                    group.create_task(self._repeat(chore))
        finally:
            for chore in chores:
                if chore.stop is not None:
                    await chore.stop()

    def list_faults(self) -> list[str]:
        """Describe the chores that keep failing."""
        return [
            f"{name} failed {record.in_a_row} times in a row, last: {record.last_fault}"
            for name, record in self.records.items()
            if record.in_a_row >= FAULT_AFTER
        ]

    async def _repeat(self, chore: Chore) -> None:
        if chore.needs_discord:
            await self.online.wait()
        while True:
            error = await attempt(chore.run)
            await self._sleep(self._book(chore, error))

    def _book(self, chore: Chore, error: BaseException | None) -> float:
        """Record how a round went. Return the seconds until the next round."""
        record = self.records[chore.name]
        if error is None:
            if record.in_a_row:
                log.info("chore %s works again", chore.name)
            record.in_a_row = 0
            return chore.interval_seconds
        # no pause for the chore, because the parts that failed have their own pauses
        if isinstance(error, SomeFailed):
            record.in_a_row = error.in_a_row
            for part, cause in error.errors.items():
                _note(record, f"{chore.name}, {part}", cause)
            return chore.interval_seconds
        record.in_a_row += 1
        _note(record, chore.name, error)
        return compute_pause(record.in_a_row, chore.interval_seconds)


def _note(record: ChoreRecord, what: str, error: BaseException) -> None:
    record.total += 1
    record.last_fault = f"{what}: {type(error).__name__}"
    is_explained = isinstance(error, StoreError | UserError)
    log.error("chore %s failed: %s", what, error, exc_info=None if is_explained else error)


def compute_pause(in_a_row: int, interval_seconds: float) -> float:
    """Return the seconds until work that failed this often is tried again."""
    first_seconds = min(interval_seconds, _FIRST_PAUSE_SECONDS)
    return min(first_seconds * 2.0 ** min(in_a_row, 30), LONGEST_PAUSE_SECONDS)


async def attempt(work: Work) -> BaseException | None:
    """Do the work. Return its error, or None. Raises CancelledError if this task is cancelled."""
    try:
        await work()
    # this task was cancelled, or another task that the work waited for
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return error
    except Exception as error:  # noqa: BLE001 - the boundary: a chore must not stop the others
        return error
    return None
