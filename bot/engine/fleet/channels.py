"""Carries bytes between the bot and an engine in another process."""

from __future__ import annotations

import logging
import multiprocessing.connection
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Protocol

logger = logging.getLogger(__name__)

_KILL_SECONDS = 5.0  # how long to wait for a process that should have ended


class Channel(Protocol):
    """One side of a connection. Every method may be called from any thread."""

    def open(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        """Start. From now on, ``on_data`` is called with what arrives, in order, in one thread.

        on_end: called with a reason if the other side is gone; at most once.
        """
        ...

    def send(self, data: bytes) -> None:
        """Send without waiting. Does nothing if the other side is gone."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait for the other side to end. Return False if it has not ended by then."""
        ...

    def close(self) -> None:
        """End both sides at once. ``on_end`` is not called. May be called again."""
        ...


class PipeChannel:
    """A pipe between a process and its child. process: the child; None in the child itself."""

    def __init__(self, pipe: Connection, process: BaseProcess | None = None) -> None:
        self._pipe = pipe
        self._process = process
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._closed = threading.Event()
        self._writer = threading.Thread(target=self._write, daemon=True)

    def open(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        """Start a thread for each direction, because writing blocks if the other side hangs."""
        self._writer.start()
        threading.Thread(target=self._read, args=(on_data, on_end), daemon=True).start()

    def send(self, data: bytes) -> None:
        """Send without waiting. Does nothing if the other side is gone."""
        self._outbox.put(data)

    def flush(self, seconds: float) -> None:
        """Wait until everything is sent; nothing can be sent after that."""
        self._outbox.put(None)
        if self._writer.is_alive():
            self._writer.join(seconds)

    def close(self) -> None:
        """End at once: the child is killed."""
        self._closed.set()
        self._outbox.put(None)
        if self._process is not None:
            self._process.kill()

    def wait(self, seconds: float) -> bool:
        """Wait for the child to end. Return False if it has not ended by then."""
        if self._process is None:
            return True
        # ``join`` is not safe here: if two threads call it at once, one may return too early.
        return bool(multiprocessing.connection.wait([self._process.sentinel], seconds))

    def _write(self) -> None:
        with suppress(OSError):
            while (data := self._outbox.get()) is not None:
                self._pipe.send_bytes(data)

    def _read(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        try:
            while (data := self._receive()) is not None:
                on_data(data)
        finally:  # also if ``on_data`` failed, so that nobody waits for more
            self._outbox.put(None)
            if not self._closed.is_set():
                on_end(self._describe_end())

    def _receive(self) -> bytes | None:
        """Return the next bytes that arrive; None after the last ones."""
        try:
            data = self._pipe.recv_bytes()
        except (EOFError, OSError):
            return None
        return None if self._closed.is_set() else data

    def _describe_end(self) -> str:
        if self._process is None:
            return "the bot has ended"
        self._process.join(_KILL_SECONDS)  # only this thread may call it: see ``wait``
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            return "its process closed the connection"
        if code < 0:
            return f"its process was ended by signal {-code}"
        return f"its process ended with exit code {code}"
