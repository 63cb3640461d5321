"""Runs a bot without Discord that draws with fake engines, and measures it."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.bot import tick
from benchmarks.fleet.engines import Drawing, Maker, TimedPool, open_pool
from benchmarks.fleet.figures import compute_jain, compute_throughput, count_begun_between
from bot import services as composition
from bot.cli.run import SWITCH_SECONDS
from bot.domain.jobs import Job
from bot.engine import EngineState
from bot.engine.fleet import messages
from bot.jobs.ports import Delivery, InProgress, Update
from bot.moderation import PictureCheck
from bot.ops.resources import get_migrations_folder
from bot.services import compose_services
from bot.settings import Settings
from bot.store import DATABASE_FILE_NAME, Database
from tests.conftest import FakeMessenger, House
from tests.fakes.classifier import FakeClassifier

_START_SECONDS = 180.0
_DRAW_SECONDS = 600.0
_MEBIBYTE = 2**20
_MANY = 1000
_NUM_MEMBERS, _FLOODER = 10, 999
_AT_ONCE = 8  # prompts of one member; more are refused


@dataclass(frozen=True, slots=True)
class Plan:
    """What one bot does. kind: "demand" or "fairness". size: for "demand", the requests for each
    engine; for "fairness", the prompts of each member.
    """

    kind: str
    transport: str
    num_engines: int
    size: int
    step_seconds: float = 0.1
    num_steps: int = 4
    side: int = 64
    num_flood: int = 1000
    address: str = ""
    token_file: str = ""


class _Messenger(FakeMessenger):
    """Keeps only what is counted, so that memory does not grow with the prompts."""

    def __init__(self) -> None:
        super().__init__()
        self.num_previews = 0
        self.num_delivered = 0
        self._waited_for: dict[int, asyncio.Event] = {}

    async def progress(self, job: Job, update: Update) -> None:
        self.num_previews += isinstance(update, InProgress) and update.preview is not None

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        self.num_delivered += 1
        self.wait_for(job.job_id).set()
        return 900_000 + job.job_id

    def wait_for(self, job_id: int) -> asyncio.Event:
        return self._waited_for.setdefault(job_id, asyncio.Event())


async def measure(plan: Plan) -> dict[str, Any]:
    """Run a bot as planned, and return what was measured."""
    sys.setswitchinterval(SWITCH_SECONDS)
    messages.ROOMS |= {"tests"}  # so that the fake engine's estimator can be unpacked
    with tempfile.TemporaryDirectory(prefix="triptych-fleet-") as name:
        async with _open_house(plan, Path(name)) as (house, pool, messenger):
            if plan.kind == "fairness":
                return await _measure_fairness(plan, house, messenger, Path(name))
            return await _measure_demand(plan, house, pool, messenger)


@asynccontextmanager
async def _open_house(
    plan: Plan, folder: Path
) -> AsyncIterator[tuple[House, TimedPool, _Messenger]]:
    composition.make_picture_check = lambda settings: PictureCheck(1.0, FakeClassifier)
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=folder,
        max_waiting=2 * _MANY,
        max_waiting_per_member=_MANY,
        max_waiting_per_guild=_MANY,
        max_cost_per_member_per_hour=1e9,
        previews=plan.kind == "demand",
    )
    maker = Maker(plan.step_seconds, plan.side)
    pool = open_pool(plan.transport, plan.num_engines, maker, plan.address, plan.token_file)
    messenger = _Messenger()
    database = await Database.open(folder, get_migrations_folder())
    try:
        services = compose_services(settings, database, pool, messenger, time.time)
        house: Any = House(services, database, pool, messenger, time.time)  # type: ignore[arg-type]
        try:
            yield house, pool, messenger
        finally:
            await services.dispatcher.stop(0.0, 2.0)
            await services.status_messages.close()
            services.reading.close()
            await services.workers.close()
            services.writer.close()
            await asyncio.to_thread(pool.close, 5.0)
    finally:
        await database.close()


async def _start(plan: Plan, house: House) -> None:
    services = house.services
    await services.waitlist.load()
    house.drawing = asyncio.create_task(services.dispatcher.run())

    def are_ready() -> bool:
        states = [each.state for each in services.engine.list_engines()]
        return states.count(EngineState.READY) == plan.num_engines

    await house.until(are_ready, within=_START_SECONDS)
    await house.until(lambda: services.waitlist.info is not None)


async def _measure_demand(
    plan: Plan, house: House, pool: TimedPool, messenger: _Messenger
) -> dict[str, Any]:
    """Let twice as many members ask as there are engines. Each asks again after each answer."""
    await _start(plan, house)

    async def use(member: int) -> None:
        while True:
            origin = house.origin(
                member, channel_id=member
            )  # a channel may have few edits a minute
            job = await house.submit(origin=origin, num_inference_steps=plan.num_steps)
            await messenger.wait_for(job.job_id).wait()

    seen, lags = pool.watch(), list[float]()
    tasks = [asyncio.create_task(use(1 + number)) for number in range(2 * plan.num_engines)]

    async def until_drawn(count: int) -> None:
        await house.until(
            lambda: len(seen) >= count or any(task.done() for task in tasks), within=_DRAW_SECONDS
        )

    await until_drawn(plan.num_engines)
    ticking = asyncio.create_task(tick(lags))
    await until_drawn(plan.num_engines * plan.size)
    for task in (ticking, *tasks):
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    faults = [each for each in ends if not isinstance(each, asyncio.CancelledError)]
    if faults:
        raise RuntimeError(f"a prompt failed: {faults[0]!r}")
    found = _describe_demand(plan, seen[: plan.num_engines * plan.size], lags)
    await house.until_idle()
    return found | {"previews": messenger.num_previews}


def _describe_demand(plan: Plan, seen: list[Drawing], lags: list[float]) -> dict[str, Any]:
    process = psutil.Process()
    drivers = [each for each in process.children(recursive=True) if _has_ray(each)]
    return {
        "requests_per_second": compute_throughput([d.ended_at for d in seen], plan.num_engines),
        "added_ms": [
            1000 * (d.ended_at - d.began_at - d.num_steps * plan.step_seconds)
            # without each engine's first request, for which the engine imports more
            for d in seen[plan.num_engines :]
        ],
        "lags_ms": [1000 * lag for lag in lags],
        "memory_mib": process.memory_info().rss / _MEBIBYTE,
        "driver_mib": sum(each.memory_info().rss for each in drivers) / _MEBIBYTE,
        "bot_imports_ray": "ray" in sys.modules,
        "load_average": os.getloadavg()[0],
    }


def _has_ray(process: psutil.Process) -> bool:
    return any("_raylet" in each.path for each in process.memory_maps())


async def _measure_fairness(
    plan: Plan, house: House, messenger: _Messenger, folder: Path
) -> dict[str, Any]:
    """Let ten members send equally many prompts in turn. Then let one member flood the queue."""
    for member in range(1, 1 + _NUM_MEMBERS):
        await _ask_often(house, member, plan.size, plan.num_steps)
    await _start(plan, house)
    await _drain(house)
    rows = _read_rows(folder)
    half = sorted(rows, key=lambda row: row["started_at"])[: len(rows) // 2]
    seconds = [
        sum(row["gpu_seconds"] for row in half if row["user_id"] == member)
        for member in range(1, 1 + _NUM_MEMBERS)
    ]
    delays = await _flood(plan, house, messenger, folder)
    return {"jain": compute_jain(seconds), "delays": delays, "load_average": os.getloadavg()[0]}


async def _ask_often(house: House, member: int, count: int, num_steps: int) -> None:
    for begun in range(0, count, _AT_ONCE):
        await asyncio.gather(
            *(
                house.submit(origin=house.origin(member), num_inference_steps=num_steps)
                for _ in range(min(_AT_ONCE, count - begun))
            )
        )


async def _drain(house: House) -> None:
    dispatcher, line = house.services.dispatcher, house.services.waitlist
    await house.until(
        lambda: not (len(line.queue) or line.running or dispatcher._tasks), within=_DRAW_SECONDS
    )


async def _flood(plan: Plan, house: House, messenger: _Messenger, folder: Path) -> list[int]:
    """For each prompt of the other members, count the flooder's prompts that began before it."""
    chance = random.Random(1)
    await _ask_often(house, _FLOODER, plan.num_flood, 4)
    asked: dict[int, float] = {}
    for _ in range(3):
        for member in range(1, 1 + _NUM_MEMBERS):
            await asyncio.sleep(chance.uniform(0.0, 2 * plan.step_seconds))
            asked_at = time.time()
            origin = house.origin(
                member, channel_id=member
            )  # a channel may have few edits a minute
            job = await house.submit(origin=origin, num_inference_steps=4)
            asked[job.job_id] = asked_at
    await asyncio.gather(*(messenger.wait_for(job_id).wait() for job_id in asked))
    assert len(house.services.waitlist.queue), "the flood ended too soon"
    rows = {row["job_id"]: row for row in _read_rows(folder)}
    flood = [row["started_at"] for row in rows.values() if row["user_id"] == _FLOODER]
    return [
        count_begun_between(flood, asked_at, rows[job_id]["started_at"])
        for job_id, asked_at in asked.items()
    ]


def _read_rows(folder: Path) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(folder / DATABASE_FILE_NAME)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("SELECT * FROM job").fetchall()
