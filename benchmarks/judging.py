"""python -m benchmarks.judging OTHER [--rounds N]: time to judge, here and in the checkout OTHER.

Both programs judge the same texts of 6,000 characters in turn, so that other work on the machine
slows both. CPU time of the quickest judgement of each text; pools as in benchmarks.moderation.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.benign import list_plain_prompts
from benchmarks.hostile import list_hostile
from benchmarks.moderation import TERMS, list_disguised, make_rules
from bot.moderation import PromptPolicy
from bot.moderation.text import clean_prompt

_NUM_CHARACTERS = 6000
_NUM_TEXTS = 12  # in the plain pool, and in the disguised one
_TRIES = 4  # for each text, before it is the other program's turn
_HERE = Path(__file__).resolve().parents[1]
_Times = dict[str, list[float]]


def main() -> None:
    """Print the milliseconds of each pool in the other checkout and in this one, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of another commit")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    pools = make_pools()
    times = [
        take_quickest(each)
        for each in measure([arguments.other.resolve(), _HERE], pools, arguments.rounds)
    ]
    for name in pools:
        there, here = (sum(each[name]) / len(each[name]) for each in times)
        print(f"{name:34} there {there:6.2f} ms  here {here:6.2f} ms  ratio {here / there:.2f}")


def make_pools() -> dict[str, list[str]]:
    """Make plain and disguised texts as in benchmarks.moderation, and the hostile ones."""
    pick = random.Random(7)

    def join(prompts: Sequence[str]) -> list[str]:
        texts = (", ".join(pick.choices(prompts, k=600)) for _ in range(_NUM_TEXTS))
        return [clean_prompt(text)[:_NUM_CHARACTERS] for text in texts]

    pools = {
        "plain": join(list_plain_prompts()),
        "disguised": join([prompt for _, _, prompt in list_disguised()]),
    }
    return pools | {name: [text] for name, text in list_hostile(_NUM_CHARACTERS).items()}


def measure(
    checkouts: Sequence[Path], pools: dict[str, list[str]], rounds: int
) -> list[list[_Times]]:
    """Return for each checkout the times of each round, in milliseconds."""
    found: list[list[_Times]] = [[] for _ in checkouts]
    programs = [_start(checkout) for checkout in checkouts]
    try:
        for _ in range(rounds):
            for program, times in zip(programs, found, strict=True):
                assert program.stdin is not None and program.stdout is not None
                program.stdin.write(json.dumps(pools) + "\n")
                program.stdin.flush()
                times.append(json.loads(program.stdout.readline()))
    finally:
        for program in programs:
            program.communicate()
    return found


def take_quickest(rounds: Sequence[_Times]) -> _Times:
    """Return the quickest time of each text."""
    return {
        name: [min(times) for times in zip(*(each[name] for each in rounds), strict=True)]
        for name in rounds[0]
    }


def _start(checkout: Path) -> subprocess.Popen[str]:
    """Start this file with the modules of a checkout; it judges each line of pools it gets."""
    return subprocess.Popen(
        [sys.executable, "-P", __file__, "judge"],  # -P: bot is the package, not benchmarks/bot.py
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _judge() -> None:
    """Judge the pools of each line of input; print how long it took."""
    policy, guard = PromptPolicy(rules=make_rules()), PromptPolicy(TERMS, make_rules())
    for line in sys.stdin:
        times: _Times = {}
        for name, texts in json.loads(line).items():
            chosen = policy if name in {"plain", "disguised"} else guard
            times[name] = [min(_time(chosen, text) for _ in range(_TRIES)) for text in texts]
        print(json.dumps(times), flush=True)


def _time(policy: PromptPolicy, text: str) -> float:
    started = time.thread_time()
    policy.judge(text, "")
    return (time.thread_time() - started) * 1000


if __name__ == "__main__":
    _judge() if sys.argv[1:] == ["judge"] else main()
