"""F9: faults in the UNet of the real engine, with the starter model."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.faults.bench import Audit, open_bench
from benchmarks.faults.finding import Measurement, Plan

_KINDS = ("oom", "nan", "assert", "hang")
_ENDS_PROCESS = {"assert", "hang"}
_EXIT_ENGINE_LOST = 75
_STEPS = 6


async def measure_device(plan: Plan) -> Measurement:
    """F9: at a random step, the engine runs out of memory, draws NaN, loses its device or hangs."""
    num_rounds = plan.pick(1, 1, 10)
    chance = random.Random(plan.seed)
    wrong: list[str] = []
    audits: list[Audit] = []
    for number in range(num_rounds):
        for kind in _KINDS:
            at = chance.randint(2, _STEPS - 1)
            found = await _break_once(plan, f"f9-{number}-{kind}", kind, at)
            audits.append(found[0])
            if found[1] or not found[0].is_clean or found[0].delivered != found[0].asked:
                wrong.append(f"{kind} at call {at}: {found[1] or found[0].describe()}")
    return Measurement(
        figure="F9",
        load="two prompts at once with the starter model on the CPU",
        faults=f"{', '.join(_KINDS)} at a random UNet call, {num_rounds} times each; torch's own "
        "exception classes, raised by hand",
        result={
            "runs": len(audits),
            "prompts": sum(audit.asked for audit in audits),
            "delivered": sum(audit.delivered for audit in audits),
            "double_posts": sum(audit.doubled for audit in audits),
            "wrong": len(wrong),
            **({"first_wrong": wrong[0]} if wrong else {}),
        },
        goal="OOM and NaN: retried, neighbours go on; assert and hang: exit 75, both drawn by "
        "the next process; one message each",
        holds=not wrong,
    )


async def _break_once(plan: Plan, name: str, kind: str, at: int) -> tuple[Audit, str]:
    environment: dict[str, Any] = {"REAL_ENGINE": "1", "HUNG_SECONDS": "8"}
    async with open_bench(plan, name) as bench:
        bot = await bench.start(**environment, ENGINE_FAULT=kind, FAULT_AT=str(at))
        await bench.ask("dog", steps=_STEPS)
        await bench.ask("cat", who="newcomer", steps=_STEPS)
        wrong = ""
        if kind in _ENDS_PROCESS:
            code = await bot.wait(150)
            await bench.server.wait_disconnected()
            wrong = "" if code == _EXIT_ENGINE_LOST else f"exit status {code}"
            await bench.start(**environment)
        await bench.settle(90)
        await bench.stop()
        audit = bench.audit()
        audit.tracebacks = 0  # an injected fault is logged with its traceback
        return audit, wrong
