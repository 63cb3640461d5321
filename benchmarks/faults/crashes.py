"""F1, F10, F16: the bot's process is killed, stopped, or stopped for a long time."""

from __future__ import annotations

import asyncio
import random
import signal
import time

from benchmarks.faults.bench import Bench, open_bench
from benchmarks.faults.finding import Measurement, Plan

_JOBS_A_CYCLE = 7
_EXIT_CONFIG = 2
# -SIGTERM: the signal came before the bot set its handler, or after the bot removed it.
_EXITS_AT_ONCE = (0, 128 + signal.SIGTERM, -signal.SIGTERM)
_TWENTY_MINUTES = 20 * 60.0


async def measure_kills(plan: Plan) -> Measurement:
    """F1: the bot is killed (SIGKILL) at random moments, sometimes while it starts."""
    num_kills = plan.pick(4, 40, 1000)
    chance = random.Random(plan.seed)
    async with open_bench(plan, "f1") as bench:
        for number in range(num_kills):
            starting = bool(number) and chance.random() < 0.1
            step_seconds = str(chance.uniform(0.001, 0.01))
            await bench.start(connected=not starting, FAKE_STEP_SECONDS=step_seconds)
            if starting:
                await asyncio.sleep(chance.uniform(0.0, 0.3))
            else:
                await _ask_and_wait(bench, chance)
            await bench.stop(signal.SIGKILL)
        await bench.start()
        await bench.settle(60 + num_kills / 2)
        await bench.stop()
        audit = bench.audit()
    return Measurement(
        figure="F1",
        load=f"{_JOBS_A_CYCLE} prompts at random moments of every life, a fifth delivered twice",
        faults=f"{num_kills} SIGKILLs, uniform over 0-120, 600 or 1500 ms of work, "
        "a tenth while starting",
        result={"kills": num_kills, **audit.describe()},
        goal="0 lost, 0 double posts, 0 unsettled, debits = deliveries, integrity ok",
        holds=audit.is_clean,
    )


async def _ask_and_wait(bench: Bench, chance: random.Random) -> None:
    """Send prompts over 120 ms, then wait a random time. The caller then kills the process."""
    moments = sorted(chance.uniform(0.0, 0.12) for _ in range(_JOBS_A_CYCLE))
    began = time.monotonic()
    end = began + chance.uniform(0.0, chance.choice([0.12, 0.6, 1.5]))
    for number, moment in enumerate(moments):
        await asyncio.sleep(min(began + moment, end) - time.monotonic())
        if began + moment >= end:
            return
        await bench.ask(f"dog {number}", who=chance.choice(["member", "newcomer", "moderator"]))
        if chance.random() < 0.2:
            bench.server.redeliver(bench.handles[-1])
    await asyncio.sleep(end - time.monotonic())


async def measure_stops(plan: Plan) -> Measurement:
    """F10: the bot is stopped (SIGTERM) at random moments; one time in ten it gets two signals."""
    num_stops = plan.pick(2, 15, 200)
    chance = random.Random(plan.seed)
    slowest, intruders, let_in = 0.0, 0, 0
    wrong_codes: list[int] = []
    async with open_bench(plan, "f10") as bench:
        for _ in range(num_stops):
            bot = await bench.start(FAKE_STEP_SECONDS=str(chance.uniform(0.01, 0.1)))
            await _ask_and_wait(bench, chance)
            if chance.random() < 0.2:
                intruders += 1
                let_in += await bench.intrude() != _EXIT_CONFIG
            began = time.monotonic()
            twice = chance.random() < 0.1
            if twice:
                bot.send_signal(signal.SIGTERM)
                await asyncio.sleep(chance.uniform(0.0, 0.2))
            code = await bench.stop()
            slowest = max(slowest, time.monotonic() - began)
            if code not in (_EXITS_AT_ONCE if twice else (0,)):
                wrong_codes.append(code)
        await bench.start()
        await bench.settle(60 + num_stops / 2)
        await bench.stop()
        audit = bench.audit()
    return Measurement(
        figure="F10",
        load=f"up to {_JOBS_A_CYCLE} prompts a life, 40-400 ms a picture",
        faults=f"{num_stops} SIGTERMs at random moments, one in ten followed by a second; "
        "in one life of five a second process tries the same data directory",
        result={
            "stops": num_stops,
            "slowest_exit_seconds": round(slowest, 2),
            "wrong_exit_codes": " ".join(map(str, wrong_codes)) or "none",
            "second_processes": intruders,
            "second_processes_let_in": let_in,
            **audit.describe(),
        },
        goal="exit within 10 s, no second process, 0 lost, 0 double posts, 0 unsettled",
        holds=audit.is_clean and slowest <= 10.0 and not wrong_codes and not let_in,
    )


async def measure_absence(plan: Plan) -> Measurement:
    """F16: the bot stops with a long queue and starts again after the tokens have expired."""
    num_jobs = plan.pick(10, 60, 200)
    async with open_bench(plan, "f16") as bench:
        await bench.start(FAKE_STEP_SECONDS="30")
        for number in range(num_jobs):
            await bench.ask(f"dog {number}")
            await bench.handles[-1].wait_acknowledged()
        await bench.stop()
        bench.server.clock.advance(_TWENTY_MINUTES)
        bench.set_clock(_TWENTY_MINUTES)
        began = time.monotonic()
        await bench.start()
        await bench.settle(30.0 + num_jobs)
        seconds = time.monotonic() - began
        await bench.stop()
        audit = bench.audit()
        shown = sum("50027" in handle.messages[0].text() for handle in bench.handles)
        dead = sum(record.code == 50027 for record in bench.server.requests())
    return Measurement(
        figure="F16",
        load=f"{num_jobs} prompts in the queue",
        faults="stopped for 20 minutes; every interaction token is dead at the restart",
        result={
            "seconds_to_the_last": round(seconds, 1),
            "dead_tokens_tried": dead,
            "50027_shown": shown,
            **audit.describe(),
        },
        goal="all delivered or told, 0 x 50027 shown to members",
        holds=audit.is_clean and audit.delivered == num_jobs and shown == 0,
    )
