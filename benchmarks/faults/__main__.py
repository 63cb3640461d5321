"""python -m benchmarks.faults [--figure F1 …] [--seed S] [--json] [--quick]: the fault figures.

Each figure runs the real bot process against the playground over sockets, with the tests' fake
engine where the engine does not matter, injects its faults, and says whether its goal holds.
The exit status is 1 if a goal is missed. docs/reliability.md has the last results.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.faults import crashes
from benchmarks.faults.finding import Contract, Finding, Measure, Plan
from benchmarks.faults.nursery import Nursery

FIGURES: dict[str, Measure] = {
    "F1": crashes.measure_kills,
    "F10": crashes.measure_stops,
    "F16": crashes.measure_absence,
}


def main() -> None:
    """Take the figures asked for, in order, and print each when it is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--figure", nargs="+", choices=FIGURES, default=list(FIGURES), metavar="F")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object per figure")
    parser.add_argument("--quick", action="store_true", help="a short form, at most 50 s each")
    arguments = parser.parse_args()
    missed = asyncio.run(
        take(arguments.figure, arguments.seed, quick=arguments.quick, as_json=arguments.json)
    )
    sys.exit(1 if missed else 0)


async def take(figures: Sequence[str], seed: int, *, quick: bool, as_json: bool) -> int:
    """How many goals were missed."""
    missed = 0
    contract = Contract()
    with tempfile.TemporaryDirectory() as folder:
        async with Nursery() as nursery:
            for figure in figures:
                size = "quick" if quick else "full"
                plan = Plan(size, seed, nursery, Path(folder), contract)
                began = time.monotonic()
                found = await FIGURES[figure](plan)
                seconds = round(time.monotonic() - began, 1)
                found = replace(found, seed=seed, size=size, seconds=seconds)
                print(json.dumps(asdict(found)) if as_json else describe(found), flush=True)
                missed += found.holds is False
    return missed


def describe(found: Finding) -> str:
    """A few lines for a person."""
    verdict = {True: "holds", False: "MISSED", None: "not taken"}[found.holds]
    result = ", ".join(f"{name} {value}" for name, value in found.result.items())
    return (
        f"{found.figure} {verdict} ({found.size}, seed {found.seed}, {found.seconds} s)\n"
        f"  load    {found.load}\n  faults  {found.faults}\n"
        f"  result  {result}\n  goal    {found.goal}\n"
    )


if __name__ == "__main__":
    main()
