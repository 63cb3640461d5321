"""Runs in the bot: keeps one engine in the pool for each card of each machine in the cluster."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bot.cluster.frames import Data, Ended, Joined, Kill, Left, Noted, Open
from bot.cluster.worker import MakeEngine
from bot.engine import Channel, EnginePool, PipeChannel, RemoteEngine, pack, start_child, unpack

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_CLOSE_SECONDS = 2.0  # how long a worker may take to end by itself

StartDriver = Callable[[], Channel]


@dataclass(frozen=True, slots=True)
class _DriverTarget:
    """Imports ray only when it is called, in the child process."""

    address: str
    make_engine: MakeEngine

    def __call__(self, channel: PipeChannel) -> None:
        from bot.cluster.driver import serve  # noqa: PLC0415 - imports ray

        serve(self.address, self.make_engine, channel)


def start_driver(address: str, make_engine: MakeEngine, environ: Mapping[str, str]) -> PipeChannel:
    """Start a child process with Ray's driver. make_engine: called on the workers."""
    return start_child(_DriverTarget(address, make_engine), environ)


class Machines:
    """Adds engines to a pool as machines join, and removes them as machines leave.

    start_driver: starts the child process with Ray's driver. It is called again if this process
    ends.
    """

    def __init__(
        self, start_driver: StartDriver, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._start_driver = start_driver
        self._now = now
        self._lock = threading.RLock()
        self._sessions = itertools.count(1)
        self._driver: Channel | None = None
        self._lines: dict[int, _Line] = {}
        self._names: dict[str, str] = {}  # each card's name for people, by the card's key
        self._pool: EnginePool | None = None
        self._start_at = 0.0
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._is_closed = False
        self.note = "connecting to the cluster"

    def start(self, pool: EnginePool) -> None:
        """Start looking for machines, and add their engines to this pool."""
        self._pool = pool
        self._launch()

    def tend(self) -> None:
        """Start the driver again if it has ended. Called about once a second."""
        if self._driver is None and not self._is_closed and self._now() >= self._start_at:
            self._launch()

    def close(self, deadline_seconds: float) -> bool:
        """End the driver, and all workers with it."""
        self._is_closed = True
        with self._lock:
            lines = list(self._lines.values())
        until = time.monotonic() + min(deadline_seconds, _CLOSE_SECONDS)
        for line in lines:
            line.wait(max(0.0, until - time.monotonic()))
        if self._driver is not None:
            self._driver.close()
        return True

    def open_line(self, key: str) -> Channel:
        """Return a channel to a new worker on a card."""
        with self._lock:
            line = _Line(next(self._sessions), key, self._tell)
            self._lines[line.session] = line
        return line

    def _launch(self) -> None:
        try:
            driver = self._driver = self._start_driver()
        except OSError as error:  # for example, because there is too little memory
            self._take_note(f"the connection to the cluster cannot be started: {error}")
            self._try_again_later()
            return
        driver.open(partial(self._receive, driver), partial(self._lose_driver, driver))

    def _try_again_later(self) -> None:
        self._start_at = self._now() + self._pause_seconds
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _tell(self, frame: object) -> None:
        if self._driver is not None:
            self._driver.send(pack(frame))

    def _receive(self, driver: Channel, data: bytes) -> None:
        if driver is not self._driver:
            return
        match unpack(data):
            case Data(session, inner):
                if (line := self._lines.get(session)) is not None:
                    line.deliver(inner)
            case Joined(key, name):
                self._pause_seconds = _FIRST_PAUSE_SECONDS
                self._join(key, name)
            case Left(key, reason):
                self._leave(key, reason)
            case Ended(session, reason):
                self._end(session, reason)
            case Noted(text):
                self._take_note(text)

    def _take_note(self, text: str) -> None:
        if text and text != self.note:
            logger.warning("%s", text)
        self.note = text

    def _join(self, key: str, name: str) -> None:
        assert self._pool is not None
        with self._lock:
            taken = {each.name for each in self._pool.list_engines()}
            numbered = (f"{name} ({number})" for number in itertools.count(2))
            free = next(each for each in itertools.chain([name], numbered) if each not in taken)
            self._names[key] = free
        logger.info("%s has joined", free)
        self._pool.add(free, lambda: RemoteEngine(free, partial(self.open_line, key)))

    def _leave(self, key: str, reason: str) -> None:
        with self._lock:
            name = self._names.pop(key, None)
        if name is not None and self._pool is not None:
            self._pool.drop(name, reason)

    def _end(self, session: int, reason: str) -> None:
        with self._lock:
            line = self._lines.pop(session, None)
        if line is not None:
            line.end(reason)

    def _lose_driver(self, driver: Channel | None, reason: str) -> None:
        """Remove all engines until a new driver has found their machines again."""
        if driver is not self._driver or self._is_closed:
            return
        self._driver = None
        self._try_again_later()
        if not self.note:
            self._take_note(f"the connection to the cluster was lost ({reason}); trying again")
        for session in list(self._lines):
            self._end(session, "the connection to the cluster was lost")
        for key in list(self._names):
            self._leave(key, "the connection to the cluster was lost")


class _Line:
    """A channel to one worker. All such channels share the connection to the driver."""

    def __init__(self, session: int, key: str, tell: Callable[[object], None]) -> None:
        self.session = session
        self._key = key
        self._tell = tell
        self._ended = threading.Event()
        self._on_data: Callable[[bytes], None] = lambda data: None
        self._on_end: Callable[[str], None] = lambda reason: None

    def open(self, on_data: Callable[[bytes], None], on_end: Callable[[str], None]) -> None:
        self._on_data, self._on_end = on_data, on_end
        self._tell(Open(self._key, self.session))

    def send(self, data: bytes) -> None:
        if not self._ended.is_set():
            self._tell(Data(self.session, data))

    def wait(self, seconds: float) -> bool:
        return self._ended.wait(seconds)

    def close(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            self._tell(Kill(self.session))

    def deliver(self, data: bytes) -> None:
        if not self._ended.is_set():
            self._on_data(data)

    def end(self, reason: str) -> None:
        if not self._ended.is_set():
            self._ended.set()
            self._on_end(reason)
