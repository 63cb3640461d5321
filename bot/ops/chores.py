"""Runs what is done again and again: a chore that fails is tried again and stops nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.errors import StoreError, UserError

log = logging.getLogger(__name__)

FAULT_AFTER = 3
"""Failures in a row that make a chore a fault of /healthz."""

LONGEST_PAUSE_SECONDS = 3600.0
_FIRST_PAUSE_SECONDS = 30.0

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Chore:
    """run: one round of it. needs_discord: it waits until the bot is logged in."""

    name: str
    interval_seconds: float
    run: Work
    needs_discord: bool = False


@dataclass(slots=True)
class ChoreRecord:
    """How a chore fares. total: failures since the start; in_a_row: since it last succeeded.

    last_fault: where and what kind, without the error's text, which may quote members.
    """

    total: int = 0
    in_a_row: int = 0
    last_fault: str = ""


class SomeFailed(Exception):
    """errors: of this round, by part. in_a_row: of the part that has failed most often."""

    def __init__(self, errors: Mapping[str, BaseException], in_a_row: int) -> None:
        super().__init__(", ".join(errors) or "parts that failed before wait")
        self.errors = errors
        self.in_a_row = in_a_row


class Apart:
    """Does the parts of a chore apart: one that fails pauses, twice as long each time, alone."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failing: dict[str, tuple[int, float]] = {}  # failures in a row, paused until

    async def run(self, parts: Mapping[str, Work]) -> None:
        """Every part that is not paused, such as ``guild 7``. Raises SomeFailed at the end."""
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
            raise SomeFailed(errors, max(in_a_row for in_a_row, _ in self._failing.values()))


class Chores:
    """All chores of a process. online: set once the bot is logged in and has recovered."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self.online = asyncio.Event()
        self.records: dict[str, ChoreRecord] = {}

    async def run(self, chores: Sequence[Chore]) -> None:
        """Each at once and then at its interval, until this is cancelled."""
        self.records.update({chore.name: ChoreRecord() for chore in chores})
        async with asyncio.TaskGroup() as group:
            for chore in chores:
                group.create_task(self._repeat(chore))

    def list_faults(self) -> list[str]:
        """What fails again and again, in words."""
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
        """Put a round on record; seconds until the next."""
        record = self.records[chore.name]
        if error is None:
            if record.in_a_row:
                log.info("chore %s works again", chore.name)
            record.in_a_row = 0
            return chore.interval_seconds
        if isinstance(error, SomeFailed):  # who failed pauses, the others need not
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
    """Seconds until what has failed so often is tried again."""
    first_seconds = min(interval_seconds, _FIRST_PAUSE_SECONDS)
    return min(first_seconds * 2.0 ** min(in_a_row, 30), LONGEST_PAUSE_SECONDS)


async def attempt(work: Work) -> BaseException | None:
    """Do it and return what went wrong; only a cancellation of our own task goes on."""
    try:
        await work()
    except asyncio.CancelledError as error:  # else: of something that the work waited for
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return error
    except Exception as error:  # noqa: BLE001 - the boundary of chores: whatever it is, the others go on
        return error
    return None
