"""F5 to F8: bursts, long runs, uneven load, and whether the event loop keeps up."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence

import psutil

from benchmarks.faults.bench import Bench, open_bench
from benchmarks.faults.finding import Measurement, Plan
from playground import Member, add_user
from tests.fakes.gate import Gate

_AT_ONCE = 40
# many members: for each prompt, the bot adds up what its member has used in the last hour
_NUM_MEMBERS = 500
_MEBIBYTE = 2**20


async def measure_burst(plan: Plan) -> Measurement:
    """F5: many commands come in one write to the socket while a picture is being drawn."""
    num_presses = plan.pick(60, 500, 500)
    async with open_bench(plan, "f5", checks_contract=False) as bench:
        await bench.start(FAKE_STEP_SECONDS="0.002")
        people = _add_people(bench, num_presses)
        await bench.ask("warming up", steps=100)
        await asyncio.sleep(0.3)
        for name in people:
            await bench.ask("dog", who=name)
        await asyncio.gather(
            *(h.wait_acknowledged(15) for h in bench.handles), return_exceptions=True
        )
        late = sum(not handle.is_acknowledged for handle in bench.handles)
        delays = sorted(
            (h.interaction.acknowledged_at or 99.0) - h.interaction.created_at
            for h in bench.handles[1:]
        )
        await bench.settle(30 + num_presses / 5)
        await bench.stop()
        audit = bench.audit()
    p99 = delays[min(len(delays) * 99 // 100, len(delays) - 1)]
    return Measurement(
        figure="F5",
        load=f"{num_presses} members press in one write while a picture is drawn",
        faults="none",
        result={
            "never_acknowledged": late,
            "p50_seconds": round(delays[len(delays) // 2], 3),
            "p99_seconds": round(p99, 3),
            "max_seconds": round(delays[-1], 3),
            **audit.describe(),
        },
        goal="all acknowledged < 3 s, p99 < 1 s, none lost",
        holds=audit.is_clean
        and late == 0
        and delays[-1] < 3.0
        and (p99 < 1.0 or plan.size == "test"),
    )


def _add_people(bench: Bench, count: int) -> list[str]:
    world = bench.server.world
    [guild] = world.guilds.values()
    names = [f"person{number}" for number in range(count)]
    for name in names:
        user = add_user(world, name)
        guild.members[user.id] = Member(user)
    return names


async def measure_soak(plan: Plan) -> Measurement:
    """F6: very many jobs. Compares memory and file handles after a tenth of them and at the end."""
    num_jobs = plan.pick(100, 500, 100_000)
    chance = random.Random(plan.seed)
    samples: list[tuple[float, int, int]] = []
    delivered = 0
    async with open_bench(plan, "f6", checks_contract=False) as bench:
        bot = await bench.start(FAKE_STEP_SECONDS="0", LOG_LEVEL="WARNING")
        people = _add_people(bench, _NUM_MEMBERS)
        process = psutil.Process(bot.pid)
        began = time.monotonic()
        while delivered < num_jobs and bot.returncode is None:
            for _ in range(_AT_ONCE):
                await bench.ask("dog", who=chance.choice(people))
            await bench.settle(60.0)
            delivered += sum(bool(m.attachments) for h in bench.handles for m in h.messages)
            _forget_all(bench)
            if delivered >= num_jobs / 10:
                # not counted, because a pool keeps them open
                sockets = len(process.net_connections())
                files = process.num_fds() - sockets
                samples.append((process.memory_info().rss / _MEBIBYTE, files, sockets))
        seconds = time.monotonic() - began
        await bench.stop()
        damage = bench.check_integrity()
    growth = samples[-1][0] - samples[0][0]
    handles = samples[-1][1] - samples[0][1]
    sockets = max(sample[2] for sample in samples)
    return Measurement(
        figure="F6",
        load=f"{delivered} jobs, drawn in no time, by {_NUM_MEMBERS} members, "
        f"{_AT_ONCE} at a time, in {seconds:.0f} s",
        faults="none",
        result={
            "jobs": delivered,
            "rss_first_mib": round(samples[0][0], 1),
            "rss_last_mib": round(samples[-1][0], 1),
            "rss_growth_mib": round(growth, 1),
            "handles_growth": handles,
            "most_sockets": sockets,
            "integrity": damage,
        },
        goal="resident growth < 20 MB, file handles flat (within 3), all jobs end, "
        "at most two sockets for each prompt at once",
        holds=growth < 20.0 and abs(handles) <= 3 and sockets <= 2 * _AT_ONCE and damage == "ok",
    )


def _forget_all(bench: Bench) -> None:
    """Free the memory and the disk that the bench's prompts use. They have been counted."""
    for handle in bench.handles:
        bench.server.forget(handle)
    bench.handles.clear()
    for folder in (bench.data_dir / "pictures").glob("*"):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


async def measure_fairness(plan: Plan) -> Measurement:
    """F7: one member floods the queue before others ask once. Then ten ask equally often."""
    num_flood, num_others = plan.pick(30, 150, 1_000), plan.pick(9, 49, 49)
    async with open_bench(plan, "f7", checks_contract=False) as bench:
        await bench.start(FAKE_STEP_SECONDS="0.002")
        people = _add_people(bench, num_others)
        for _ in range(num_flood):
            await bench.ask("flood", who="member")
            if len(bench.handles) % 100 == 0:
                await bench.handles[-1].wait_acknowledged()
        await bench.handles[-1].wait_acknowledged(10)
        for name in people:
            await bench.ask("one", who=name)
        await bench.settle(60 + num_flood / 4)
        await bench.stop()
        audit, rows = bench.audit(), bench.rows()
    overtaken = [_count_served_between(rows, row) for row in rows if '"one"' in row["recipe"]]
    index = await _measure_equality(plan)
    return Measurement(
        figure="F7",
        load=f"one member with {num_flood} prompts, then {num_others} with one each; "
        "then 10 members with equal wishes, one member's all before the next one's",
        faults="none",
        result={
            "most_served_before_one": max(overtaken),
            "jain_index": round(index, 3),
            **audit.describe(),
        },
        goal=f"each served within {num_others + 2} jobs (active members + 1), Jain >= 0.95",
        holds=audit.is_clean and max(overtaken) <= num_others + 2 and index >= 0.95,
    )


def _count_served_between(rows: Sequence[sqlite3.Row], job: sqlite3.Row) -> int:
    """Count the jobs that were started after this one was queued, up to and including this one."""
    return sum(job["queued_at"] < row["started_at"] <= job["started_at"] for row in rows)


async def _measure_equality(plan: Plan) -> float:
    """Return Jain's index of fairness between ten members when half of their jobs were drawn.

    https://arxiv.org/abs/cs/9809099
    """
    num_members, num_each = 10, plan.pick(4, 10, 40)
    async with open_bench(plan, "f7-equal", checks_contract=False) as bench:
        path = bench.folder / "gate"
        with Gate(path) as gate:
            await bench.start(FAKE_STEP_SECONDS="0.005", FAKE_LOAD_GATE=str(path))
            for name in _add_people(bench, num_members):
                for _ in range(num_each):
                    await bench.ask("equal", who=name)
            for handle in bench.handles:
                await handle.wait_acknowledged(10)
            gate.open()  # drawing begins only now, when all have asked
        await bench.settle(60 + num_members * num_each / 4)
        await bench.stop()
        rows = bench.rows()
    first_half = sorted(rows, key=lambda row: row["started_at"])[: len(rows) // 2]
    counts = Counter(row["user_id"] for row in first_half)
    shares = [float(counts[user]) for user in {row["user_id"] for row in rows}]
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


async def measure_lag(plan: Plan) -> Measurement:
    """F8: a 1 ms timer must not be late while the starter model loads and draws."""
    num_jobs = plan.pick(1, 4, 30)
    async with open_bench(plan, "f8") as bench:
        path = bench.folder / "lags"
        await bench.start(REAL_ENGINE="1", TICKER=str(path))
        for number in range(num_jobs):
            await bench.ask(f"dog in autumn leaves {number} " + "very " * 300)
        await bench.settle(60 + num_jobs * 5)
        await bench.stop()
        audit = bench.audit()
        lags = sorted(json.loads(path.read_text()))
    worst = [
        lags[min(int(len(lags) * share), len(lags) - 1)] * 1000 for share in (0.5, 0.99, 0.999)
    ]
    return Measurement(
        figure="F8",
        load=f"model load, then {num_jobs} long prompts drawn, judged, encoded, posted",
        faults="none",
        result={
            "ticks": len(lags),
            "p50_ms": round(worst[0], 1),
            "p99_ms": round(worst[1], 1),
            "p99.9_ms": round(worst[2], 1),
            "max_ms": round(lags[-1] * 1000, 1),
            **audit.describe(),
        },
        goal="p99.9 < 100 ms",
        holds=audit.is_clean and worst[2] < 100.0,
    )
