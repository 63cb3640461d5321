"""python -m benchmarks.engine [--device cpu|cuda] [--model PATH|sd1-random|sdxl-random] [--users N]
[--quick] [--no-compile] [--clock wall|process] [--json]: compares this engine with diffusers' own
pipeline, on one machine, in one run.

A        the reference script: the pipeline, one request of three pictures at a time, with the
         model's own sampler and steps. On CUDA it uses float16 weights under autocast.
B        the pipeline in the fastest form that diffusers documents: channels_last; on CUDA pure
         float16; compiled if torch.compile works, which takes minutes per batch size on a CPU
         (--quick and --no-compile leave it out). One request at a time.
B2       B, but one call of the pipeline draws up to four waiting requests together.
C        this engine, exact: with the preset `quality`.
C-fast   this engine with the preset `fast`.

Closed loop: each of N users asks again as soon as they have their pictures. Open loop: requests
come at random moments (Poisson), at 30, 60 and 90 % of the rate that A can serve. A and B show
nothing before the end, so their first preview is the picture itself. If other programs use the
machine, `--clock process` measures everything except the event loop's lag in processor seconds of
this process; it needs one thread per arm.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from benchmarks.arms import Workshop
from benchmarks.clock import Clock
from benchmarks.engine_report import describe, describe_environment, find_matmul_share, find_ratios
from benchmarks.load import Plan, Round, measure_short_behind_long, run_closed_loop, run_open_loop

_LOADS = (0.3, 0.6, 0.9)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--model",
        help="a folder, sd1-random, sd2-random or sdxl-random; default: the starter model",
    )
    parser.add_argument("--users", type=int, nargs="*", help="default: 1 2 4 8 16")
    parser.add_argument("--quick", action="store_true", help="8 users, each served once, without B")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="B uncompiled")
    parser.add_argument("--clock", choices=("wall", "process"), default="wall")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    plan = Plan.choose(arguments.quick, arguments.users, arguments.compile)
    clock = Clock(of_process=arguments.clock == "process")
    workshop = Workshop(arguments.device, arguments.model, clock, compiles=plan.compiles)
    if arguments.clock == "process" and (arguments.device != "cpu" or workshop.num_threads > 1):
        parser.error("--clock process needs --device cpu and a machine of one or two cores.")
    report = measure(workshop, plan)
    sys.stdout.write(json.dumps(report) + "\n" if arguments.json else describe(report))


class _Plain(argparse.RawDescriptionHelpFormatter):
    """A help formatter that keeps the line breaks of the description."""


def measure(workshop: Workshop, plan: Plan) -> dict[str, Any]:
    """Run all arms in turn. Return what --json prints."""
    rounds: dict[str, dict[int, list[Round]]] = {name: {} for name in plan.arms}
    with workshop:
        equality = workshop.measure_equality()
        for number in range(plan.num_rounds):
            for name in plan.arms if number % 2 == 0 else reversed(plan.arms):
                for users in plan.users:
                    found = run_closed_loop(workshop, name, users, plan.seconds)
                    rounds[name].setdefault(users, []).append(found)
        short = {name: measure_short_behind_long(workshop, name) for name in ("A", "C")}
        open_loop = {
            name: {
                f"{load:.0%}": run_open_loop(workshop, name, load, plan.open_seconds).summarize()
                for load in _LOADS
            }
            for name in (("A", "C") if plan.open_seconds else ())
        }
        arms = {
            name: {str(users): Round.join(found).summarize() for users, found in by_users.items()}
            for name, by_users in rounds.items()
        }
        best = max(figures["images_per_second"] or 0.0 for figures in arms["C"].values())
        environment = describe_environment(workshop)
        environment["matmul_peak_share_C"] = find_matmul_share(workshop, best)
    return {
        "arms": arms,
        "ratios": find_ratios(arms),
        "short_behind_long_seconds": short,
        "open_loop": open_loop,
        "equality": equality,
        "environment": environment,
    }


if __name__ == "__main__":
    main()
