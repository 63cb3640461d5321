"""A chore that fails does not stop others, is tried again, and is reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from bot.errors import StoreError
from bot.ops.chores import FAULT_AFTER, LONGEST_PAUSE_SECONDS, Apart, Chore, Chores, SomeFailed


class VirtualTime:
    """A clock that a test moves forward. Sleepers wake when their time has come."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.seconds + seconds, future))
        await future

    async def advance(self, seconds: float) -> None:
        end = self.seconds + seconds
        await settle()
        while due := [each for each in self._sleepers if each[0] <= end]:
            first = min(due, key=lambda each: each[0])
            self._sleepers.remove(first)
            self.seconds = first[0]
            if not first[1].done():
                first[1].set_result(None)
            await settle()
        self.seconds = end


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Work:
    """Work that fails if ``fault`` returns an error. It remembers when it was done."""

    def __init__(self, time: VirtualTime, fault: Callable[[], BaseException] | None = None) -> None:
        self._time = time
        self.fault = fault
        self.done_at: list[float] = []

    async def __call__(self) -> None:
        self.done_at.append(self._time.seconds)
        if self.fault is not None:
            raise self.fault()


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@asynccontextmanager
async def running(time: VirtualTime, *chores: Chore) -> AsyncIterator[Chores]:
    runner = Chores(time.sleep)
    task = asyncio.create_task(runner.run(chores))
    await settle()
    try:
        yield runner
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()


async def test_chore_runs_at_once_and_then_at_its_interval(time: VirtualTime):
    work = Work(time)
    async with running(time, Chore("backup", 20.0, work)):
        await time.advance(65)
    await time.advance(100)
    assert work.done_at == [0, 20, 40, 60]


@pytest.mark.parametrize("fault", [StoreError, PermissionError, ValueError, asyncio.CancelledError])
async def test_chore_that_fails_is_tried_again_and_stops_no_other(
    time: VirtualTime, fault: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
):
    bad, good = Work(time, fault), Work(time)
    async with running(time, Chore("bad", 10.0, bad), Chore("good", 10.0, good)) as chores:
        await time.advance(299)
        assert bad.done_at == [0, 20, 60, 140]  # the pause is twice as long each time
        assert good.done_at == [10.0 * number for number in range(30)]
        assert (chores.records["bad"].total, chores.records["good"].total) == (4, 0)
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [record.getMessage().partition(":")[0] for record in errors] == [
            "chore bad failed"
        ] * 4
        bad.fault = None
        await time.advance(31)
        assert bad.done_at[4:] == [300, 310, 320, 330]
        assert (chores.records["bad"].total, chores.records["bad"].in_a_row) == (4, 0)


async def test_chore_that_always_fails_is_tried_every_hour_in_the_end(time: VirtualTime):
    bad, rare = Work(time, OSError), Work(time, OSError)
    async with running(time, Chore("bad", 3.0, bad), Chore("rare", 86_400.0, rare)):
        await time.advance(86_400 * 2)
    for work in (bad, rare):
        assert work.done_at[-1] - work.done_at[-2] == LONGEST_PAUSE_SECONDS
    assert rare.done_at[1] == 60  # a daily chore does not wait a whole day after a failure


async def test_chore_that_has_failed_three_times_is_a_fault_until_it_works(time: VirtualTime):
    bad = Work(time, lambda: PermissionError("a member's words"))
    async with running(time, Chore("picture_files", 10.0, bad)) as chores:
        await time.advance(59)
        assert chores.list_faults() == []
        await time.advance(1)
        assert chores.list_faults() == [
            f"picture_files failed {FAULT_AFTER} times in a row, last: picture_files: "
            "PermissionError"
        ]
        bad.fault = None
        await time.advance(80)
        assert chores.list_faults() == []


async def test_what_needs_discord_waits_until_it_is_there(time: VirtualTime):
    posting, keeping = Work(time), Work(time)
    chores = (Chore("mod_log", 3.0, posting, needs_discord=True), Chore("backup", 3.0, keeping))
    async with running(time, *chores) as runner:
        await time.advance(7)
        assert (posting.done_at, keeping.done_at) == ([], [0, 3, 6])
        runner.online.set()
        await time.advance(3)
        assert posting.done_at == [7, 10]


async def test_part_that_fails_pauses_alone(time: VirtualTime, caplog: pytest.LogCaptureFixture):
    apart, bad, good = Apart(time), Work(time, OSError), Work(time)
    parts: dict[str, Callable[[], Awaitable[None]]] = {"guild 1": bad, "guild 2": good}
    async with running(time, Chore("mod_log", 3.0, partial(apart.run, parts))) as chores:
        await time.advance(179)
        assert bad.done_at == [0, 60]
        assert good.done_at == [3.0 * number for number in range(60)]
        assert (chores.records["mod_log"].total, chores.list_faults()) == (2, [])
        await time.advance(2)
        assert bad.done_at == [0, 60, 180]
        assert chores.list_faults() == [
            "mod_log failed 3 times in a row, last: mod_log, guild 1: OSError"
        ]
        assert caplog.text.count("chore mod_log, guild 1 failed") == 3
        del parts["guild 1"]  # this server has removed the bot
        await time.advance(3)
        assert chores.list_faults() == []


async def test_whoever_asks_for_all_parts_hears_that_some_failed(time: VirtualTime):
    apart, bad, good = Apart(time), Work(time, OSError), Work(time)
    with pytest.raises(SomeFailed, match="guild 1") as failed:
        await apart.run({"guild 1": bad, "guild 2": good})
    assert [type(error) for error in failed.value.errors.values()] == [OSError]
    with pytest.raises(SomeFailed):  # the paused part was not done this time either
        await apart.run({"guild 1": bad, "guild 2": good})
    assert (len(bad.done_at), len(good.done_at)) == (1, 2)


async def test_part_is_cancelled_with_its_chore(time: VirtualTime):
    entered = asyncio.Event()

    async def hang() -> None:
        entered.set()
        await asyncio.Event().wait()

    async with running(time, Chore("review", 3.0, partial(Apart(time).run, {"card 1": hang}))):
        await entered.wait()
