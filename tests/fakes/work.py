"""Functions that tests run in a worker process. Importing this module is quick."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bot.errors import UserError

_leaked: list[bytearray] = []


def echo(value: object) -> object:
    return value


def tell_pid() -> int:
    return os.getpid()


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def sleep_until_killed(pid_file: Path) -> None:
    pid_file.write_text(str(os.getpid()))
    time.sleep(600)


def take_memory(num_bytes: int) -> int:
    block = bytearray(num_bytes)
    block[::4096] = b"x" * len(range(0, num_bytes, 4096))
    time.sleep(0.5)  # long enough for a watcher to see it
    return len(block)


def leak_memory(num_bytes: int) -> None:
    _leaked.append(bytearray(num_bytes))


def die() -> None:
    os._exit(1)


def refuse() -> None:
    raise UserError("no picture")
