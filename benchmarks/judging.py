"""python -m benchmarks.judging OTHER [--rounds N]: time to judge, here and in the checkout OTHER.

Both checkouts judge the same texts of 6,000 characters in turn, so that other work on the machine
slows both. The result is the CPU time of the quickest judgement of each text. The texts are made as
in benchmarks.moderation.
"""

from __future__ import annotations

import argparse
import json
import random
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
_NUM_TEXTS = 12  # how many plain texts; also how many disguised texts
_TRIES = 4  # how often each text is judged before it is the other checkout's turn
_Times = dict[str, list[float]]


def main() -> None:
    """Print each pool's milliseconds in the other checkout and in this one, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of another commit")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    from benchmarks.checkouts import HERE, measure_in_turn  # noqa: PLC0415 - OTHER may lack it

    pools = make_pools()
    times = [
        take_quickest(each)
        for each in measure_in_turn(
            __file__, [arguments.other.resolve(), HERE], pools, arguments.rounds
        )
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


def take_quickest(rounds: Sequence[_Times]) -> _Times:
    """Return the quickest time of each text."""
    return {
        name: [min(times) for times in zip(*(each[name] for each in rounds), strict=True)]
        for name in rounds[0]
    }


def _answer() -> None:
    """For each line of input, judge the pools of texts in it and print how long each text took."""
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
    _answer() if sys.argv[1:] == ["answer"] else main()
