"""Bots born fast: a process that has imported everything forks one child per bot.

Each child is a process of its own that runs ``python -m bot run`` from the first line of its
``main`` on; only the second of imports is saved. Run as a module, this file is that process.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import defaultdict, deque
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


class Nursery:
    """The parent's side: ``async with Nursery() as nursery`` and ``await nursery.start(…)``."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._births: deque[asyncio.Future[int]] = deque()  # orders are carried out in turn
        self._ends: dict[int, asyncio.Future[int]] = defaultdict(
            lambda: asyncio.get_running_loop().create_future()
        )

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.faults.nursery",
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())
        await self._await_birth()
        return self

    async def __aexit__(self, *fault: object) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def start(self, environment: dict[str, str], log: Path, folder: Path) -> Child:
        """Fork a bot with exactly this environment."""
        assert self._process is not None and self._process.stdin is not None
        order = {"environment": environment, "log": str(log), "folder": str(folder)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        pid = await self._await_birth()
        return Child(pid, self._ends[pid])

    def _await_birth(self) -> asyncio.Future[int]:
        birth: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._births.append(birth)
        return birth

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "born" in told:
                birth = self._births.popleft()
                if not birth.done():
                    birth.set_result(told["born"])
            else:
                self._ends[told["died"]].set_result(told["code"])


class Child:
    """One bot process."""

    def __init__(self, pid: int, end: asyncio.Future[int]) -> None:
        self.pid = pid
        self._end = end

    @property
    def returncode(self) -> int | None:
        """Negative for a signal; None while it lives."""
        return self._end.result() if self._end.done() else None

    def send_signal(self, number: signal.Signals) -> None:
        """Does nothing to one that has ended."""
        if not self._end.done():
            os.kill(self.pid, number)

    async def wait(self, within_seconds: float) -> int:
        """The exit status. Raises TimeoutError."""
        return await asyncio.wait_for(asyncio.shield(self._end), within_seconds)


def _tell(**told: int) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


def _reap(*signal_and_frame: object) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _children.discard(pid)
        _tell(died=pid, code=os.waitstatus_to_exitcode(status))


_children: set[int] = set()


def _bear(order: dict[str, Any]) -> bool:
    """Fork; True in the child."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # told as born before as dead
    if pid := os.fork():
        _children.add(pid)
        _tell(born=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        return False
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    sys.argv = ["triptych", "run"]
    return True


def _main() -> None:
    from benchmarks.faults import shim  # noqa: PLC0415 - the parent's side needs no bot

    signal.signal(signal.SIGCHLD, _reap)
    _tell(born=0)
    while line := sys.stdin.buffer.readline():
        if _bear(json.loads(line)):
            shim.run()
            return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in _children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _main()
