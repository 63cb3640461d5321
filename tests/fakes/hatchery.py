"""Forks pytest-xdist's workers from one process that has already imported all tests, torch and
diffusers, which takes 9 s of CPU time.

``pytest_xdist_setupnodes`` in tests/conftest.py starts this process (``hatchery.py serve SOCKET
ARGUMENTS``), and gives execnet a command in place of ``python`` (``hatchery.py join SOCKET``). This
command hands its streams to a fork and waits until the fork ends. If there is no process to fork
from, it becomes a plain Python instead, so everything goes on, only more slowly.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import ModuleType
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]


class Hatchery:
    """Use as ``with Hatchery(arguments) as hatchery``. arguments: pytest's own.

    command: what to start instead of ``python``.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments

    def __enter__(self) -> Hatchery:
        from tests.fakes.nursery import listen

        with ExitStack() as exits:
            path = str(Path(exits.enter_context(tempfile.TemporaryDirectory()), "s"))
            python = [sys.executable, "-P", __file__]
            with listen(path) as listening:
                number = listening.fileno()
                process = subprocess.Popen(
                    [*python, "serve", str(number), *self._arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[number],
                )
            exits.enter_context(process)
            assert process.stdin
            exits.callback(process.stdin.close)
            self.command = shlex.join([*python, "join", path])
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *fault: object) -> None:
        self._exits.close()


def serve(number: str, arguments: Sequence[str]) -> NoReturn:
    """Import all tests, then fork a worker for each ``join``. number: of a socket that listens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches pytest and the workers as well
    sys.path.insert(0, str(ROOT))
    import pytest

    pytest.main(["--collect-only", *arguments, "-n0", "-qq"])
    sys.stdout.flush()
    # not before pytest, which rewrites the assertions of what these modules import
    from tests.fakes.nursery import ForkServer, end, settle

    request = ForkServer(socket.socket(fileno=int(number))).serve()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settle(request, request["streams"])
    sys.argv = ["-c"]
    main = sys.modules["__main__"] = ModuleType("__main__")
    exec(request["code"], main.__dict__)
    end(0)


def join(path: str, arguments: Sequence[str]) -> NoReturn:
    """Let a fork run what ``python`` would run with these arguments (``-u -c CODE``)."""
    order = {"code": arguments[-1], "folder": os.getcwd(), "environment": dict(os.environ)}
    line = json.dumps(order).encode() + b"\n"
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [line[:1]], [0, 1, 2])
        connection.sendall(line[1:])
        answers = connection.makefile()
        if answers.readline():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.closerange(0, 2)  # only the fork has them now, so its end is noticed
            os._exit(int(answers.readline() or 1))
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    {"serve": serve, "join": join}[sys.argv[1]](sys.argv[2], sys.argv[3:])
