"""Simulates users who ask again and again, come at random, or wait behind a long request."""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
import torch

from benchmarks.arms import ARMS, NUM_PICTURES, Arm, Ask, Workshop
from benchmarks.clock import Clock

_BEAT_SECONDS = 0.005
_BEATS_PER_LOOK = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure.

    seconds: only the latencies of requests sent within this time count. A round lasts until these
    requests are served. A draws one request after the other, so every user is served once more by
    then.
    """

    arms: tuple[str, ...]
    users: tuple[int, ...]
    num_rounds: int
    seconds: float
    open_seconds: float
    compiles: bool

    @classmethod
    def choose(cls, quick: bool, users: Sequence[int] | None, compiles: bool) -> Plan:
        """Choose how much to measure. In the quick form, each of 8 users is served once in
        one round, without B. The full form has three rounds and the open loop.
        """
        if quick:
            arms = tuple(name for name in ARMS if name != "B")
            return cls(arms, tuple(users or (8,)), 1, 0.0, 0.0, False)
        return cls(ARMS, tuple(users or (1, 2, 4, 8, 16)), 3, 3.0, 30.0, compiles)


@dataclass(slots=True)
class Round:
    """One measured round of an arm. pictures: the finished ones, and shares of unfinished ones.

    cpu_seconds: processor time of the whole process, which does not include other programs.
    memory_mib: on the CPU, the peak of the whole process, which holds the weights of every arm;
    on CUDA, the peak of torch's allocator.
    """

    seconds: float = 0.0
    pictures: float = 0.0
    latencies: list[float] = field(default_factory=list)
    previews: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    memory_mib: float = 0.0

    @classmethod
    def join(cls, rounds: Sequence[Round]) -> Round:
        """Merge rounds. The speed of the result is the median of their speeds."""
        whole = cls(rates=[found.pictures / found.seconds for found in rounds])
        for found in rounds:
            whole.cpu_seconds += found.cpu_seconds
            whole.pictures += found.pictures
            whole.memory_mib = max(whole.memory_mib, found.memory_mib)
            for name in ("latencies", "previews", "waits", "lags"):
                getattr(whole, name).extend(getattr(found, name))
        return whole

    def summarize(self) -> dict[str, float | None]:
        """Return the figures to print. A figure is None if nothing was finished in time."""
        rates = self.rates or [self.pictures / self.seconds]
        return {
            "images_per_second": statistics.median(rates),
            "cpu_seconds_per_image": self.cpu_seconds / self.pictures if self.pictures else None,
            "latency_p50_seconds": find_percentile(self.latencies, 50),
            "latency_p95_seconds": find_percentile(self.latencies, 95),
            "first_preview_p50_seconds": find_percentile(self.previews, 50),
            "first_preview_p95_seconds": find_percentile(self.previews, 95),
            "wait_p50_seconds": find_percentile(self.waits, 50),
            "wait_p95_seconds": find_percentile(self.waits, 95),
            "loop_lag_p99_seconds": find_percentile(self.lags, 99),
            "memory_peak_mib": self.memory_mib,
            "num_requests": len(self.latencies),
        }


def find_percentile(values: Sequence[float], percent: int) -> float | None:
    """Return this percentile of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] if ordered else None


class _Person:
    """Sends one request, and notes when progress and pictures come."""

    def __init__(self, arm: Arm, ask: Ask, seen: Round, clock: Clock) -> None:
        self.share = 0.0
        self._clock = clock
        self._began = clock.now()
        self.begun = threading.Event()
        self._first_step: float | None = None
        self._first_preview: float | None = None
        self._seen = seen
        self.future, self.give_up = arm.submit(ask, self._hear)
        self.future.add_done_callback(lambda _: self.begun.set())

    async def wait(self) -> None:
        await asyncio.wrap_future(self.future)
        now = self._clock.now() - self._began
        self._seen.latencies.append(now)
        self._seen.waits.append(now if self._first_step is None else self._first_step)
        self._seen.pictures += NUM_PICTURES
        if self._first_preview is None:
            self._seen.previews.append(now)
        self.share = 0.0

    def _hear(self, share: float, has_preview: bool) -> None:
        """Note the first step and the first preview. Called in the drawing thread."""
        now = self._clock.now() - self._began
        self.share = share
        if self._first_step is None:
            self._first_step = now
            self.begun.set()
        if has_preview and self._first_preview is None:
            self._first_preview = now
            self._seen.previews.append(now)


def run_closed_loop(workshop: Workshop, name: str, users: int, seconds: float) -> Round:
    """Let each user ask again and again until all requests from the first ``seconds`` are served.

    Raises the error of a request that fails.

    Users who are served go on asking, so that the last requests are not drawn alone. But the
    latencies of these additional requests do not count. In every arm, a picture that is half done
    at the end counts half.
    """
    return asyncio.run(_run_closed_loop(workshop, name, users, seconds))


async def _run_closed_loop(workshop: Workshop, name: str, users: int, seconds: float) -> Round:
    arm, clock = workshop.arms[name], workshop.clock
    people: dict[int, _Person] = {}
    served = [asyncio.Event() for _ in range(users)]
    drawn = [0] * users

    async def use(user: int) -> None:
        try:
            for number in range(1_000_000):
                counts = number == 0 or clock.now() < started + seconds
                if not counts:
                    served[user].set()
                seen_by = seen if counts else Round()
                people[user] = _Person(arm, Ask(1000 * user + 3 * number), seen_by, clock)
                await people[user].wait()
                drawn[user] += NUM_PICTURES
        finally:
            served[user].set()  # also if the request failed; its error is raised below

    with _watching() as seen:
        started, computed = clock.now(), time.process_time()
        using = [asyncio.create_task(use(user)) for user in range(users)]
        await asyncio.gather(*(event.wait() for event in served))
        seen.seconds = clock.now() - started
        seen.cpu_seconds = time.process_time() - computed
    for error in [task.exception() for task in using if task.done()]:
        if error is not None:
            raise error
    begun = sum(person.share for person in people.values()) * workshop.stepping_share
    seen.pictures = sum(drawn) + NUM_PICTURES * begun
    for person in people.values():
        person.give_up()
    for task in using:
        task.cancel()
    await asyncio.gather(*using, return_exceptions=True)
    await _settle()
    return seen


def run_open_loop(workshop: Workshop, name: str, load: float, seconds: float) -> Round:
    """Let requests come at random, at this share of the rate that A can serve. Wait for all."""
    return asyncio.run(_run_open_loop(workshop, name, load, seconds))


async def _run_open_loop(workshop: Workshop, name: str, load: float, seconds: float) -> Round:
    chance, clock = random.Random(7), workshop.clock
    waiting: list[asyncio.Task[None]] = []
    with _watching() as seen:
        started, computed = clock.now(), time.process_time()
        due = 0.0
        while (due := due + chance.expovariate(load / workshop.seconds_alone)) < seconds:
            await clock.sleep_until(started + due, lambda: any(not w.done() for w in waiting))
            person = _Person(workshop.arms[name], Ask(3 * len(waiting)), seen, clock)
            waiting.append(asyncio.create_task(person.wait()))
        await asyncio.gather(*waiting)
        seen.seconds = clock.now() - started
        seen.cpu_seconds = time.process_time() - computed
    return seen


def measure_short_behind_long(workshop: Workshop, name: str) -> float:
    """Measure how long a request of 8 steps takes if a request of 100 steps has just begun."""
    return asyncio.run(_measure_short(workshop.arms[name], workshop.clock))


async def _measure_short(arm: Arm, clock: Clock) -> float:
    seen = Round()
    long = _Person(arm, Ask(1, 100), seen, clock)
    await asyncio.to_thread(long.begun.wait)
    if long.future.done():
        long.future.result()
    await _Person(arm, Ask(2, 8), seen, clock).wait()
    long.give_up()
    await _settle()
    return seen.latencies[0]


@contextmanager
def _watching() -> Iterator[Round]:
    """Record the event loop's lag and the memory while the block runs."""
    seen = Round()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    beating = asyncio.create_task(_beat(seen))
    try:
        yield seen
    finally:
        beating.cancel()


async def _beat(seen: Round) -> None:
    loop: Any = asyncio.get_running_loop()
    process, on_cuda = psutil.Process(), torch.cuda.is_available()
    while True:
        due = loop.time() + _BEAT_SECONDS
        await asyncio.sleep(_BEAT_SECONDS)
        seen.lags.append(loop.time() - due)
        if len(seen.lags) % _BEATS_PER_LOOK == 0:
            peak = torch.cuda.max_memory_allocated() if on_cuda else process.memory_info().rss
            seen.memory_mib = max(seen.memory_mib, peak / 2**20)


async def _settle() -> None:
    """Wait until the drawing threads have noticed the cancellations, which they do at each step."""
    await asyncio.sleep(0.2)
