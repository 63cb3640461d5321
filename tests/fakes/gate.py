"""Holds something back in another process until a test lets it go on."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self


class Gate:
    """A named pipe. Use as ``with Gate(path) as gate``, then ``gate.open()``."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._pipe = os.open(path, os.O_RDWR)  # with O_WRONLY it would wait for the other process

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        os.close(self._pipe)

    def open(self) -> None:
        """Let the other process go on."""
        os.write(self._pipe, b"\n")


def wait_at(path: str) -> None:
    """Wait in the other process until the gate at this path is opened."""
    with open(path, "rb", buffering=0) as pipe:
        pipe.read(1)
