"""python -m benchmarks.fleet [--quick] [--json] [--faults]: what additional engines gain and cost.

Each run is a bot without Discord in a process of its own, with a real database. Fake engines draw
with steps of 100 ms: one in the bot's process, as the reference, or several in child processes, or
several workers behind Ray, which all run on this machine. docs/benchmarks.md has the last results.
--quick: four engines instead of 2, 4 and 8. --faults: also F18 of benchmarks.faults.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.fleet.figures import Run, sum_up

_FIRST_PORT = 21_000
_NO_RAY = "not measured: ray is not installed (pip install -e '.[cluster]')"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four engines, within 120 s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--faults", action="store_true", help="measure F18 as well")
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    report = measure(is_quick=arguments.quick)
    report["load_average"] = [load_before, os.getloadavg()[0]]
    if arguments.faults:
        report["faults"] = measure_faults(is_quick=arguments.quick)
        report["holds"] = report["holds"] and report["faults"]["holds"]
    if arguments.json:
        print(json.dumps(report))
    else:
        for name, value in report.items():
            print(f"{name:20} {value}")
    sys.exit(0 if report["holds"] else 1)


def measure(*, is_quick: bool) -> dict[str, Any]:
    """Measure all ways to reach engines, then whether members are served fairly."""
    counts = (4,) if is_quick else (2, 4, 8)
    size = 20 if is_quick else 60
    alone = run_bot("demand", "alone", 1, size)
    runs = [Run("children", count, run_bot("demand", "children", count, size)) for count in counts]
    streaming = [] if is_quick else [run_bot("demand", "children", 8, 8, num_steps=20)]
    has_ray = find_spec("ray") is not None
    if has_ray:
        with open_cluster() as reach:
            for count in counts:
                where = reach(count)
                runs.append(
                    Run("machines", count, run_bot("demand", "machines", count, size, **where))
                )
                if count == max(counts) and not is_quick:
                    streaming.append(run_bot("demand", "machines", 8, 8, num_steps=20, **where))
    fairness = run_bot("fairness", "children", 4, 30, num_steps=1 if is_quick else 4)
    report = sum_up(alone, runs, streaming, fairness)
    return report if has_ray else report | {"machines": _NO_RAY}


def run_bot(kind: str, transport: str, num_engines: int, size: int, **more: Any) -> dict[str, Any]:
    """Run one bot in a process of its own, and return what it measured."""
    plan = {"kind": kind, "transport": transport, "num_engines": num_engines, "size": size} | more
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fleet.arm", json.dumps(plan)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@contextmanager
def open_cluster() -> Iterator[Callable[[int], dict[str, str]]]:
    """Start a cluster on this machine. ``reach(n)`` adds workers until it has n cards."""
    from tests.cluster.clusters import Nodes  # noqa: PLC0415 - only where ray is installed

    with tempfile.TemporaryDirectory(prefix="triptych-fleet-") as folder:
        nodes = Nodes(Path(folder), _FIRST_PORT)
        there = 0

        def reach(count: int) -> dict[str, str]:
            nonlocal there
            if count > there:
                nodes.start_worker(f"m{count}", DEVICES=",".join(["cpu"] * (count - there)))
                there = count
            return {"address": nodes.address, "token_file": str(nodes.token_file)}

        nodes.start_head()
        try:
            yield reach
        finally:
            nodes.stop_all()


def measure_faults(*, is_quick: bool) -> dict[str, Any]:
    """Measure F18; see benchmarks.faults."""
    command = [sys.executable, "-m", "benchmarks.faults", "--figure", "F18", "--json"]
    command += ["--quick"] if is_quick else []
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
