"""python -m benchmarks.faults [--figure F1 …] [--seed S] [--json] [--quick]: fault tests.

Each test (figure) runs the real bot process against the playground over sockets, with the tests'
fake engine if the engine does not matter. It causes faults and says whether its goal is met.
The exit status is 1 if a goal is missed. docs/reliability.md has the last results.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.faults import (
    calls,
    crashes,
    device,
    fleet,
    inputs,
    neighbours,
    network,
    pressure,
    rounds,
)
from benchmarks.faults.finding import Contract, Measure, Measurement, Plan, Size
from tests.fakes.nursery import Nursery

FIGURES: dict[str, Measure] = {
    "F1": crashes.measure_kills,
    "F2": calls.measure_store,
    "F3": calls.measure_requests,
    "F4": network.measure_drops,
    "F5": pressure.measure_burst,
    "F6": pressure.measure_soak,
    "F7": pressure.measure_fairness,
    "F8": pressure.measure_lag,
    "F9": device.measure_device,
    "F10": crashes.measure_stops,
    "F11": network.measure_clock,
    "F12": inputs.measure_inputs,
    "F14": inputs.measure_moderation,
    "F15": network.measure_slow_uploads,
    "F16": crashes.measure_absence,
    "F17": neighbours.measure_neighbours,
    "F18": fleet.measure_losses,
    "F19": rounds.measure_rounds,
    # F13 is last, because it counts the requests of all other figures
    "F13": inputs.measure_contract,
}


def main() -> None:
    """Measure the figures that the arguments name, in order. Print each one when it is done."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--figure", nargs="+", choices=FIGURES, default=list(FIGURES), metavar="F")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object per figure")
    parser.add_argument("--quick", action="store_true", help="a short form, at most 50 s each")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep logs and databases here")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep = arguments.keep.resolve()
    with tempfile.TemporaryDirectory() as folder:
        missed = asyncio.run(take(arguments, arguments.keep or Path(folder)))
    sys.exit(1 if missed else 0)


async def take(arguments: argparse.Namespace, folder: Path) -> int:
    """Measure the figures. Return how many missed their goals."""
    missed = 0
    seed, as_json = arguments.seed, arguments.json
    size: Size = "quick" if arguments.quick else "full"
    contract = Contract()
    with Nursery("benchmarks.faults.shim") as nursery:
        for figure in arguments.figure:
            plan = Plan(size, seed, nursery, folder, contract)
            began = time.monotonic()
            try:
                found = await FIGURES[figure](plan)
            except (TimeoutError, RuntimeError) as error:
                found = Measurement(figure, "", "", {"broke_off": repr(error)}, "", holds=False)
            seconds = round(time.monotonic() - began, 1)
            found = replace(found, seed=seed, size=size, seconds=seconds)
            print(json.dumps(asdict(found)) if as_json else describe(found), flush=True)
            missed += found.holds is False
    return missed


def describe(found: Measurement) -> str:
    """Describe a figure in a few lines."""
    verdict = {True: "holds", False: "MISSED", None: "not taken"}[found.holds]
    result = ", ".join(f"{name} {value}" for name, value in found.result.items())
    return (
        f"{found.figure} {verdict} ({found.size}, seed {found.seed}, {found.seconds} s)\n"
        f"  load    {found.load}\n  faults  {found.faults}\n"
        f"  result  {result}\n  goal    {found.goal}\n"
    )


if __name__ == "__main__":
    main()
