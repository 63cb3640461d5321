"""python -m tests.fakes.nursery SOCKET: bot processes by fork, so that modules are read only once.

One connection is one process: a line of JSON says what to run (module, arguments, cwd, environment,
log), a line with its pid comes back, and one with its return code when it has ended. The process
is the same as one started by ``python -m``, but for the reading of modules.
"""

from __future__ import annotations

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
import sys
import threading
from typing import Any, NoReturn


def load_modules() -> None:
    """What a bot process reads before it is online, and nothing that starts a thread."""
    from bot.chat import client
    from bot.moderation.classes import load_classes

    for module in (*client.COGS, "bot.cli.run", "tests.fakes.parts", "onnxruntime"):
        importlib.import_module(module)
    load_classes()


class Nursery:
    """Forks for whoever connects, and tells them how it ended."""

    def __init__(self, path: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(path)
        self._socket.listen()
        self._wakeup, tail = socket.socketpair()
        for end in (self._wakeup, tail):
            end.setblocking(False)
        signal.set_wakeup_fd(tail.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._tail = tail
        self._children: dict[int, socket.socket] = {}

    def serve(self) -> dict[str, Any]:
        """Until the process that runs the tests has ended; returns only in a child."""
        self._selector.register(self._socket, selectors.EVENT_READ, self._fork)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._reap)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    os._exit(0)
                if (request := key.data()) is not None:
                    return request

    def _fork(self) -> dict[str, Any] | None:
        connection, _ = self._socket.accept()
        request = json.loads(connection.makefile().readline())
        pid = os.fork()
        if pid == 0:
            return request
        self._children[pid] = connection
        connection.sendall(f"{pid}\n".encode())
        return None

    def _reap(self) -> None:
        self._wakeup.recv(4096)
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            connection = self._children.pop(pid)
            with contextlib.suppress(OSError):  # where nobody waits for it any more
                connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            connection.close()


def become(request: dict[str, Any]) -> None:
    """What ``python -m`` would have found in a process of its own."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[1:] = request["arguments"]
    code: object = None
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code
    end(code if isinstance(code, int) else int(code is not None))


def end(code: int) -> NoReturn:
    """As the interpreter ends, without taking its modules apart, which costs as much as a start."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    load_modules()
    gc.freeze()
    become(Nursery(sys.argv[1]).serve())
