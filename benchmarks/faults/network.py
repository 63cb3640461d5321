"""F4, F11, F15: lost connections, clocks that jump, slow uploads."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.faults.bench import Bench, open_bench
from benchmarks.faults.finding import Measurement, Plan
from playground import RequestRecord, delay, reset, slow_reader

_IDENTIFY = 2
_JUMPS_SECONDS = (3600.0, -3600.0, 900.0, -900.0)
_HEARTBEAT_MS = 2_000
_NUM_SLOW = 4


async def measure_drops(plan: Plan) -> Measurement:
    """F4: the gateway connection ends in many ways, and the first connections are refused."""
    num_drops = plan.pick(3, 8, 100)
    chance = random.Random(plan.seed)
    async with open_bench(plan, "f4") as bench:
        bench.server.gateway.heartbeat_interval_ms = _HEARTBEAT_MS
        refused = bench.server.fault("GET /gateway", reset(), times=plan.pick(1, 3, 5))
        await bench.start(FAKE_STEP_SECONDS="0.01", GATEWAY_SILENCE_SECONDS="5")
        kinds = list(_DROPS)
        missed = 0
        for number in range(num_drops):
            await bench.ask("before")
            bench.server.redeliver(bench.handles[-1])
            await asyncio.sleep(chance.uniform(0.0, 0.2))
            await _DROPS[kinds[number % len(kinds)]](bench)
            await bench.ask("while away")
            await asyncio.sleep(chance.uniform(0.0, 0.5))
            await bench.server.wait_connected(60)
            missed += await _probe(bench)
        await bench.settle(30)
        await bench.stop()
        audit = bench.audit()
        identifies = sum(record.opcode == _IDENTIFY for record in bench.server.log.gateway)
    return Measurement(
        figure="F4",
        load="prompts before (delivered twice), during and after every drop",
        faults=f"first connection refused {refused.struck} times, then {num_drops} drops: "
        + ", ".join(kinds[:num_drops]),
        result={"identifies": identifies, "missed_after_return": missed, **audit.describe()},
        goal="answered or provably expired, none missed once back, IDENTIFYs <= drops + 1",
        holds=audit.is_clean and missed == 0 and identifies <= num_drops + 1,
    )


async def _probe(bench: Bench) -> int:
    """Send a prompt to a bot that has reconnected. Return 1 if the bot misses it, otherwise 0."""
    await bench.ask("after")
    try:
        await bench.handles[-1].wait_acknowledged(3.0)
    except TimeoutError:
        return 1
    return 0


def _closing(code: int | None) -> Callable[[Bench], Awaitable[None]]:
    async def drop(bench: Bench) -> None:
        await bench.server.drop_gateway(code)

    return drop


async def _reconnect(bench: Bench) -> None:
    bench.server.gateway.ask_reconnect()
    await bench.server.wait_disconnected()


async def _invalidate(bench: Bench, *, resumable: bool) -> None:
    bench.server.gateway.invalidate_sessions(resumable=resumable)
    if resumable:
        await bench.server.wait_disconnected()


async def _go_silent(bench: Bench) -> None:
    """Make a zombie: a connection that stays open, but over which nothing comes any more."""
    bench.server.silence_gateway()
    await bench.server.wait_disconnected(60)
    bench.server.silence_gateway(is_silent=False)


_DROPS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "op 7": _reconnect,
    "close 4000": _closing(4000),
    "op 9 resumable": lambda bench: _invalidate(bench, resumable=True),
    "cut": _closing(None),
    "close 4009": _closing(4009),
    "zombie": _go_silent,
    "op 9": lambda bench: _invalidate(bench, resumable=False),
    "close 1006": _closing(1012),
}


async def measure_clock(plan: Plan) -> Measurement:
    """F11: the machine's clock is changed while prompts wait, and across a restart."""
    num_rounds = plan.pick(1, 2, 25)
    refused = 0
    async with open_bench(plan, "f11") as bench:
        quota: dict[str, Any] = {
            "MAX_COST_PER_MEMBER_PER_HOUR": "1000",
            "FAKE_STEP_SECONDS": "0.05",
        }
        for _ in range(num_rounds):
            await bench.start(**quota)
            for jump in _JUMPS_SECONDS:
                await bench.ask("before the jump")
                await bench.handles[-1].wait_acknowledged()
                bench.set_clock(jump)
                await bench.ask("after the jump")
                await bench.handles[-1].wait_acknowledged()
            await bench.stop()
            bench.set_clock(0.0)
        await bench.start(**quota)
        await bench.settle(60)
        refused = await _count_quota_refusals(bench)
        await bench.stop()
        audit = bench.audit()
        dead = sum(record.code == 50027 for record in bench.server.requests())
    return Measurement(
        figure="F11",
        load=f"{audit.asked} prompts, {num_rounds + 2} lives",
        faults="wall clock set by +1 h, -1 h, +15 min, -15 min in every life",
        result={
            "dead_tokens_tried": dead,
            "over_quota_refused": refused,
            **audit.describe(),
        },
        goal="nothing expires early, every prompt delivered once, quotas hold over a jump",
        holds=audit.is_clean and dead == 0 and refused == 1,
    )


async def _count_quota_refusals(bench: Bench) -> int:
    """Return 1 if a member who has used up a quota is refused after the clock jumps two hours."""
    await bench.stop()
    await bench.start(MAX_COST_PER_MEMBER_PER_HOUR="1.5", FAKE_STEP_SECONDS="0.05")
    await bench.ask("fits", who="moderator")
    await bench.settle(20)
    bench.set_clock(7200.0)
    await bench.ask("does not fit", who="moderator")
    answer = await bench.handles[-1].wait_answered()
    bench.set_clock(0.0)
    return int("left this hour" in answer.text())


async def measure_slow_uploads(plan: Plan) -> Measurement:
    """F15: some deliveries are slow and one stalls; the others must not become slower."""
    num_others = plan.pick(5, 30, 200)
    crawl_seconds, stall_seconds = plan.pick(2.0, 8.0, 60.0), plan.pick(4.0, 20.0, 300.0)
    async with open_bench(plan, "f15") as bench:
        await bench.start(SEND_SECONDS=str(stall_seconds / 2), FAKE_STEP_SECONDS="0.001")
        alone = await _time_deliveries(bench, num_others)
        crawling, stalling = set[str](), set[str]()
        rate = _find_rate(bench, crawl_seconds)
        bench.server.fault(_edits_of(crawling), slow_reader(rate), times=None)
        bench.server.fault(_grids_of(stalling), delay(stall_seconds))
        await _ask_many(bench, _NUM_SLOW, crawling)
        await _ask_many(bench, 1, stalling)
        beside = await _time_deliveries(bench, num_others)
        began = time.monotonic()
        await bench.settle(stall_seconds * 2 + 60)
        waited = time.monotonic() - began
        await bench.stop()
        audit = bench.audit()
    return Measurement(
        figure="F15",
        load=f"{num_others} deliveries alone, then beside the {_NUM_SLOW + 1} slow ones",
        faults=f"all edits of {_NUM_SLOW} prompts read at a rate of {crawl_seconds:g} s a grid, "
        f"one upload that stalls for {stall_seconds:g} s",
        result={
            "median_alone_seconds": round(alone, 3),
            "median_beside_seconds": round(beside, 3),
            "slow_ones_after_seconds": round(waited, 1),
            **audit.describe(),
        },
        goal="other deliveries at most 1.5 times as long + 0.5 s; the slow ones arrive once",
        holds=audit.is_clean and beside <= 1.5 * alone + 0.5,
    )


def _edits_of(tokens: set[str]) -> Callable[[RequestRecord], bool]:
    return lambda record: record.method == "PATCH" and any(t in record.path for t in tokens)


def _grids_of(tokens: set[str]) -> Callable[[RequestRecord], bool]:
    edits = _edits_of(tokens)
    return lambda record: edits(record) and bool(record.filenames)


def _find_rate(bench: Bench, seconds: float) -> float:
    """Return the bytes per second at which the upload of a grid takes this many seconds."""
    grids = sorted((bench.data_dir / "pictures").glob("*/grid.png"))
    return max(1.0, grids[0].stat().st_size / seconds)


async def _ask_many(bench: Bench, count: int, tokens: set[str]) -> None:
    for number in range(count):
        await bench.ask(f"dog {number}", who="newcomer")
        tokens.add(bench.handles[-1].interaction.token)
        await bench.handles[-1].wait_acknowledged()


async def _time_deliveries(bench: Bench, count: int) -> float:
    """Return the median seconds from a prompt to its pictures, with one prompt after the other."""
    seconds = []
    for _ in range(count):
        began = time.monotonic()
        await bench.ask("dog", who="moderator")
        await bench.handles[-1].wait_for(lambda message: bool(message.attachments), 30)
        seconds.append(time.monotonic() - began)
    return sorted(seconds)[len(seconds) // 2]
