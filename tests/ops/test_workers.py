"""Worker processes are killed if they take too long or too much memory. The processes are real."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bot.errors import UserError, WorkerLost, WorkerTimeout, WorkerUnavailable
from bot.ops.workers import WorkerProcesses
from tests.fakes import work

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = 2**20
LONG = 60.0


@pytest.fixture
async def workers() -> AsyncIterator[WorkerProcesses]:
    made = WorkerProcesses(memory_bytes=200 * MEBIBYTE)
    yield made
    await made.close()


def is_alive(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


async def until_gone(pid: int) -> None:
    await until(lambda: not is_alive(pid))


async def until_written(path: Path) -> int:
    await until(lambda: path.exists() and bool(path.read_text()))
    return int(path.read_text())  # noqa: ASYNC240


async def test_work_gives_what_it_returns_or_raises_and_its_process_serves_again(
    workers: WorkerProcesses,
):
    assert await workers.run(work.echo, b"x" * 10 * MEBIBYTE, share=1, deadline_seconds=LONG)
    with pytest.raises(UserError, match="no picture"):
        await workers.run(work.refuse, share=1, deadline_seconds=LONG)
    pids = {await workers.run(work.tell_pid, share=n, deadline_seconds=LONG) for n in range(3)}
    assert len(pids) == 1
    assert os.getpid() not in pids


async def test_work_that_takes_too_long_is_killed_and_the_next_is_done(workers: WorkerProcesses):
    pid = await workers.run(work.tell_pid, share=1, deadline_seconds=LONG)
    with pytest.raises(WorkerTimeout):
        await workers.run(work.sleep, LONG, share=1, deadline_seconds=0.2)
    await until_gone(pid)
    assert await workers.run(work.echo, 5, share=1, deadline_seconds=LONG) == 5


async def test_deadline_counts_from_a_process_that_has_imported_what_the_work_needs(
    workers: WorkerProcesses, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # in this process, not in the worker
    from tests.fakes import slow_import

    assert await workers.run(slow_import.answer, share=1, deadline_seconds=1) == 42


async def test_process_that_dies_at_its_work_or_at_rest_is_replaced(workers: WorkerProcesses):
    with pytest.raises(WorkerLost):
        await workers.run(work.die, share=1, deadline_seconds=LONG)
    pid = await workers.run(work.tell_pid, share=1, deadline_seconds=LONG)
    os.kill(pid, signal.SIGKILL)
    assert await workers.run(work.tell_pid, share=1, deadline_seconds=LONG) != pid


@pytest.mark.parametrize("kernel_counts", [True, False])
async def test_work_that_takes_too_much_memory_is_ended_and_the_next_is_done(kernel_counts: bool):
    if kernel_counts and sys.platform != "linux":
        pytest.skip("only Linux keeps to RLIMIT_AS")
    workers = WorkerProcesses(memory_bytes=200 * MEBIBYTE, kernel_counts_memory=kernel_counts)
    most = 150 * MEBIBYTE
    assert await workers.run(work.take_memory, most, share=1, deadline_seconds=LONG) == most
    with pytest.raises(WorkerLost):
        await workers.run(work.take_memory, 300 * MEBIBYTE, share=1, deadline_seconds=LONG)
    assert await workers.run(work.take_memory, most, share=1, deadline_seconds=LONG) == most
    await workers.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to RLIMIT_AS")
async def test_what_earlier_work_left_behind_is_not_charged_to_the_next(workers: WorkerProcesses):
    for _ in range(5):
        await workers.run(work.leak_memory, 60 * MEBIBYTE, share=1, deadline_seconds=LONG)


async def test_a_share_has_one_process_at_a_time_and_the_other_is_for_others(
    workers: WorkerProcesses, tmp_path: Path
):
    hogs = [
        asyncio.create_task(
            workers.run(work.sleep_until_killed, tmp_path / f"{n}", share=1, deadline_seconds=LONG)
        )
        for n in range(3)
    ]
    await until_written(tmp_path / "0")
    for share in (2, 3, 2, 3):
        assert await workers.run(work.echo, share, share=share, deadline_seconds=LONG) == share
    assert os.listdir(tmp_path) == ["0"]
    await workers.close()
    ends = await asyncio.gather(*hogs, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 3


async def test_shares_take_turns_whoever_came_first_with_many():
    workers = WorkerProcesses(1)
    order: list[int] = []

    async def ask(share: int) -> None:
        order.append(await workers.run(work.echo, share, share=share, deadline_seconds=LONG))

    await asyncio.gather(*(ask(share) for share in (1, 1, 1, 1, 2, 2, 3)))
    assert order == [1, 2, 3, 1, 2, 1, 1]
    await workers.close()


async def test_who_waits_too_long_is_told_and_leaves_the_line(tmp_path: Path):
    workers = WorkerProcesses(1, max_wait_seconds=0.3)
    hog = asyncio.create_task(
        workers.run(work.sleep_until_killed, tmp_path / "pid", share=1, deadline_seconds=LONG)
    )
    await until_written(tmp_path / "pid")
    with pytest.raises(WorkerUnavailable, match="work of others"):
        await workers.run(work.echo, 1, share=2, deadline_seconds=LONG)
    hog.cancel()
    await asyncio.gather(hog, return_exceptions=True)
    assert await workers.run(work.echo, 1, share=2, deadline_seconds=LONG) == 1
    await workers.close()


async def test_closing_kills_what_is_worked_on_and_takes_nothing_more(
    workers: WorkerProcesses, tmp_path: Path
):
    doing = asyncio.create_task(
        workers.run(work.sleep_until_killed, tmp_path / "pid", share=1, deadline_seconds=LONG)
    )
    pid = await until_written(tmp_path / "pid")
    await workers.close()
    await until_gone(pid)
    assert doing.cancelled()
    with pytest.raises(WorkerUnavailable, match="stopping"):
        await workers.run(work.echo, 1, share=1, deadline_seconds=LONG)


async def test_worker_does_not_outlive_a_killed_bot_for_longer_than_its_deadline(tmp_path: Path):
    code = (
        "import asyncio, pathlib, sys\n"
        "from bot.ops.workers import WorkerProcesses\n"
        "from tests.fakes import work\n"
        "asyncio.run(WorkerProcesses().run(work.sleep_until_killed, pathlib.Path(sys.argv[1]), "
        "share=1, deadline_seconds=1))"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, tmp_path / "pid", cwd=ROOT
    )
    pid = await until_written(tmp_path / "pid")
    parent.kill()
    await parent.wait()
    await until_gone(pid)


async def test_worker_leaves_ctrl_c_to_the_bot(workers: WorkerProcesses):
    pid = await workers.run(work.tell_pid, share=1, deadline_seconds=LONG)
    doing = asyncio.create_task(workers.run(work.sleep, 0.5, share=1, deadline_seconds=LONG))
    await asyncio.sleep(0.1)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert await doing == 0.5
    assert await workers.run(work.tell_pid, share=1, deadline_seconds=LONG) == pid
