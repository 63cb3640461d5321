"""F19: the process is killed at each call of the database while people play a round."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from functools import partial
from pathlib import Path

from benchmarks.faults.evening import Run, play
from benchmarks.faults.finding import Measurement, Plan

_SECONDS = 60.0
_KILLED = -9
_AT_ONCE = 2


async def measure_rounds(plan: Plan) -> Measurement:
    """F19: kill the process at call N of the database. The next process must end the round as if
    nothing had happened.
    """
    whole = Run(_make_folder(plan.folder / "f19-count"))
    notes = await _check(whole)
    num_calls = int((whole.folder / "calls").read_text())
    chance = random.Random(plan.seed)
    numbers = list(range(1, num_calls + 1))
    chosen = sorted(chance.sample(numbers, min(plan.pick(2, 24, num_calls), num_calls)))
    turns = asyncio.Semaphore(_AT_ONCE)

    async def kill(number: int) -> list[str]:
        async with turns:
            folder = _make_folder(plan.folder / f"f19-{number}")
            status = await _play(Run(folder, number))
            if status not in {_KILLED, 0}:
                return [f"call {number}: exit status {status}"]
            return [f"call {number}: {what}" for what in await _check(Run(folder))]

    for found in await asyncio.gather(*map(kill, chosen)):
        notes += found
    return Measurement(
        figure="F19",
        load="one round of three people: phrases, choices, pictures, votes",
        faults=f"SIGKILL at {len(chosen)} of the {num_calls} database calls of a round",
        result={
            "calls": num_calls,
            "kills": len(chosen),
            "wrongs": len(notes),
            **({"first_wrong": " | ".join(notes[:3])} if notes else {}),
        },
        goal="no half state, no second job, no vote or phrase lost that was answered",
        holds=not notes,
    )


def _make_folder(folder: Path) -> Path:
    (folder / "data").mkdir(parents=True)
    return folder


async def _check(run: Run) -> list[str]:
    """Play to the end; return what is lost or is there twice."""
    status = await _play(run)
    path = run.folder / "faults"
    said = path.read_text().splitlines() if path.exists() else []
    return said or ([] if status == 0 else [f"exit status {status} at the next start"])


async def _play(run: Run) -> int | None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.faults.evening"])
    process = context.Process(target=play, args=(run,))
    process.start()
    await asyncio.to_thread(partial(process.join, _SECONDS))
    if process.is_alive():
        process.kill()
    return process.exitcode
