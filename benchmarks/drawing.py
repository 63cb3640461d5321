"""python -m benchmarks.drawing OTHER [--pairs N]: time to draw, here and in the checkout OTHER.

Both checkouts draw the starter model's pictures for four people at once, in turn, with the same
number of rows per step. The program prints seconds of processor time, and the time here divided by
the time there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from bot.domain.recipes import Recipe
from bot.engine import Engine, GenerationRequest, ModelSource
from bot.ops.resources import get_starter_model_folder

_NUM_PEOPLE = 4
_ROWS = 12


def main() -> None:
    """Print the seconds of each pair, and the median ratio."""
    from benchmarks.checkouts import HERE, measure_in_turn  # noqa: PLC0415 - OTHER may lack it

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of another commit")
    parser.add_argument("--pairs", type=int, default=10)
    arguments = parser.parse_args()
    checkouts = [arguments.other.resolve(), HERE]
    there, here = measure_in_turn(__file__, checkouts, _NUM_PEOPLE, arguments.pairs)
    ratios = [ours / theirs for theirs, ours in zip(there, here, strict=True)]
    for theirs, ours, ratio in zip(there, here, ratios, strict=True):
        print(f"there {theirs:.2f} s  here {ours:.2f} s  ratio {ratio:.3f}")
    print(f"median ratio {median(ratios):.3f}")


def _answer() -> None:
    """Read numbers of people. For each, draw for so many people at once and print the seconds."""
    engine = Engine(
        ModelSource(str(get_starter_model_folder()), device="cpu"),
        rows=_ROWS,
    )
    info = engine.start().result()
    # not measured: the first time, torch chooses kernels and takes memory
    _draw(engine, info, _NUM_PEOPLE)
    for line in sys.stdin:
        started = time.process_time()
        _draw(engine, info, json.loads(line))
        print(time.process_time() - started, flush=True)
    engine.close(60)


def _draw(engine: Engine, info: Any, num_people: int) -> None:
    recipe = Recipe(
        prompt="dog in autumn leaves",
        width=info.width,
        height=info.height,
        num_inference_steps=info.num_inference_steps,
        guidance_scale=info.guidance_scale,
        sampler=info.default_sampler,
        seeds=(1, 2, 3),
    )
    futures = [
        engine.submit(GenerationRequest(number, recipe), lambda progress: None)
        for number in range(num_people)
    ]
    for future in futures:
        future.result()


if __name__ == "__main__":
    _answer() if sys.argv[1:] == ["answer"] else main()
