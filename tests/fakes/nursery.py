"""Starts bot processes by fork, so that their modules are imported only once. A forked process runs
a module from its first line, as ``python -m`` does. This file is also the process that forks
(``python -m tests.fakes.nursery SOCKET MODULE…``). Each connection to it starts one process: the
client sends a line of JSON that says what to run, gets back a line with the pid, and a line with
the return code when the process has ended. ``tests/fakes/hatchery.py`` forks pytest's workers in
the same way.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parents[2]


class Nursery:
    """Use as ``with Nursery() as nursery`` and ``await nursery.start(…)``, from any event loop.
    modules: further modules to import before it forks.
    """

    def __init__(self, *modules: str) -> None:
        self._modules = modules

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:  # what was opened is closed if this fails
            self._path = str(Path(exits.enter_context(tempfile.TemporaryDirectory()), "s"))
            process = exits.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.fakes.nursery", self._path, *self._modules],
                    cwd=ROOT,
                    env=os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            assert process.stdin and process.stdout
            exits.callback(process.stdin.close)
            if process.stdout.readline() != b"ready\n":
                raise RuntimeError("the process that forks bots did not start")
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *fault: object) -> None:
        self._exits.close()

    async def start(
        self,
        module: str,
        log: Path,
        folder: Path,
        environment: dict[str, str],
        arguments: tuple[str, ...] = ("run",),
    ) -> Child:
        """Start a process that runs a module with exactly this environment."""
        log.touch(0o600)  # noqa: ASYNC240 - an empty file
        order = {
            "module": module,
            "arguments": arguments,
            "log": str(log),
            "folder": str(folder),
            "environment": environment,
        }
        reader, writer = await asyncio.open_unix_connection(self._path)
        writer.write(json.dumps(order).encode() + b"\n")
        return Child(int(await reader.readline()), reader, writer)


class Child:
    """One forked process."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._read(reader, writer))

    async def wait(self, within_seconds: float | None = None) -> int:
        """Return the exit status, which is negative for a signal. Raises TimeoutError."""
        return await asyncio.wait_for(asyncio.shield(self._ended), within_seconds)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; does nothing if the process has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        self.returncode = int(await reader.readline())
        writer.close()
        return self.returncode


def load_modules(*modules: str) -> None:
    """Import what a bot imports before it is online, but start no thread."""
    import discord
    from babel.numbers import format_decimal

    from bot.chat import client
    from bot.moderation.classes import load_classes
    from bot.texts.catalog import parse_locale

    for module in (*client.COGS, "bot.cli.run", "tests.fakes.parts", *modules):
        importlib.import_module(module)
    load_classes()
    for locale in discord.Locale:
        parse_locale(locale.value)  # Babel reads a file for each language
    for name in ("en-US", "en-GB"):
        format_decimal(1, locale=parse_locale(name))  # and another one for numbers


def listen(path: str) -> socket.socket:
    """Open a socket at this path."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    return listening


class ForkServer:
    """Forks for each connection, and reports how the process ended. Ends with its stdin."""

    def __init__(self, listening: socket.socket) -> None:
        self._selector = selectors.DefaultSelector()
        self._socket = listening
        self._wakeup, tail = socket.socketpair()
        for end in (self._wakeup, tail):
            end.setblocking(False)
        signal.set_wakeup_fd(tail.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._tail = tail
        self._children: dict[int, socket.socket] = {}

    def serve(self) -> dict[str, Any]:
        """Serve until the test process ends; returns only in a child."""
        self._selector.register(self._socket, selectors.EVENT_READ, self._fork)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._reap)
        self._selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    for pid in self._children:
                        os.kill(pid, signal.SIGKILL)
                    os._exit(0)
                if (request := key.data()) is not None:
                    return request

    def _fork(self) -> dict[str, Any] | None:
        connection, _ = self._socket.accept()
        first, streams, *_ = socket.recv_fds(connection, 1, 3)
        request = json.loads(first + connection.makefile("rb").readline())
        pid = os.fork()
        if pid == 0:
            self._close()
            return request | {"streams": streams}
        for stream in streams:
            os.close(stream)
        self._children[pid] = connection
        connection.sendall(f"{pid}\n".encode())
        return None

    def _close(self) -> None:
        """Close everything, so that no file of the child is closed when this is forgotten later."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for each in (self._socket, self._wakeup, self._tail, *self._children.values()):
            each.close()

    def _reap(self) -> None:
        self._wakeup.recv(4096)
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            connection = self._children.pop(pid)
            with contextlib.suppress(OSError):  # the client has disconnected
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            connection.close()


def become(request: dict[str, Any]) -> None:
    """Run the module as ``python -m`` would in a new process; does not return."""
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    settle(request, (null, log, log))
    sys.argv[1:] = request["arguments"]
    code: object = None
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code
    end(code if isinstance(code, int) else int(code is not None))


def settle(request: dict[str, Any], streams: Sequence[int]) -> None:
    """Take over the folder, the environment and these three streams; close all other files."""
    for target, source in enumerate(streams):
        os.dup2(source, target)
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])


def end(code: int) -> NoReturn:
    """End as the interpreter does, but skip the slow unloading of modules."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    gc.disable()
    load_modules(*sys.argv[2:])
    gc.enable()
    gc.freeze()
    listening = listen(sys.argv[1])
    print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
    become(ForkServer(listening).serve())
