"""python -m benchmarks.moderation [--json]: measures recall, false positives and time of the rules.

The blocked terms are names of vegetables and tools, to spare readers worse words. The reference is
what most bots do: search for the words in the lower-cased text.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import psutil

from benchmarks.benign import list_benign_prompts, list_plain_prompts
from benchmarks.bot import describe_environment, tick
from benchmarks.evasions import EVASIONS
from benchmarks.hostile import list_hostile
from bot.domain.rules import Outcome, Rule, RuleKind
from bot.moderation import PictureCheck, PromptPolicy, RuleBook
from bot.moderation.budget import SERVER_BUDGET
from bot.moderation.text import clean_prompt

_TERMS = (
    "asparagus aubergine beetroot broccoli cabbage carrot cauliflower celery chicory chilli "
    "courgette cucumber endive fennel garlic gherkin ginger zucchini kale leek lentil lettuce "
    "marrow mushroom okra onion parsnip potato pumpkin radish rhubarb rocket shallot spinach "
    "squash swede sweetcorn tomato turnip watercress yam anvil auger chisel crowbar hammer hatchet "
    "mallet pliers screwdriver shovel spanner trowel wrench coon gore"
)
TERMS = tuple(_TERMS.split())
_CARRIERS = ("{}", "a painting of a {} on a table, autumn light", "{}, highly detailed, 8k")
_NUM_RULES = 1000
_NUM_CHARACTERS = 6000
_NUM_TIMED = 200


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    report = {
        **measure_recall(),
        **measure_false_positives(),
        **measure_time(),
        **asyncio.run(measure_worst()),
        **measure_worst_rules(),
        **measure_picture_check(),
        "environment": describe_environment(),
    }
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    for key, value in report.items():
        if isinstance(value, list):
            print(f"{key}: {len(value)}")
            print("".join(f"  {each}\n" for each in value[:40]), end="")
        else:
            print(f"{key:32} {value:.4f}" if isinstance(value, float) else f"{key:32} {value}")


def list_disguised() -> Iterator[tuple[str, str, str]]:
    """Yield the kind of evasion, the term, and the prompt that contains it."""
    for number, (kind, term) in enumerate(product(EVASIONS, TERMS)):
        yield kind, term, _CARRIERS[number % len(_CARRIERS)].format(EVASIONS[kind](term))


def measure_recall() -> dict[str, Any]:
    """Return the share of disguised terms that the right rule refuses."""
    policy = PromptPolicy(TERMS)
    misses: list[dict[str, str]] = []
    by_reference = 0
    total = 0
    for kind, term, prompt in list_disguised():
        total += 1
        by_reference += term in prompt.lower()
        verdict = policy.judge(clean_prompt(prompt), "")
        if verdict.outcome is not Outcome.REFUSE or verdict.rule != term:
            misses.append({"kind": kind, "term": term, "prompt": prompt})
    return {
        "recall": 1 - len(misses) / total,
        "reference_recall": by_reference / total,
        "kinds_of_evasion": len(EVASIONS),
        "terms": len(TERMS),
        "disguised_prompts": total,
        "misses": misses,
    }


def measure_false_positives() -> dict[str, Any]:
    """Return the share of harmless prompts that are refused, held or marked as a spoiler."""
    policy = PromptPolicy(TERMS)
    prompts = list_benign_prompts()
    wrong = [
        {"prompt": prompt, "rule": verdict.rule, "form": verdict.form}
        for prompt in prompts
        if (verdict := policy.judge(clean_prompt(prompt), "")).outcome is not Outcome.ALLOW
    ]
    by_reference = sum(any(term in prompt.lower() for term in TERMS) for prompt in prompts)
    return {
        "false_positive_rate": len(wrong) / len(prompts),
        "reference_false_positive_rate": by_reference / len(prompts),
        "benign_prompts": len(prompts),
        "false_positives": wrong,
    }


def make_rules(count: int = _NUM_RULES) -> list[Rule]:
    """Make words, phrases with exceptions, and patterns out of random letters."""
    letters = random.Random(5)

    def word() -> str:
        return "".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=letters.randint(4, 10)))

    rules: list[Rule] = []
    for number in range(count):
        if number % 10 == 0:
            rules.append(Rule(RuleKind.PATTERN, rf"\b{word()}[a-z]*(?:ing|ed)?\b"))
        elif number % 5 == 0:
            rules.append(Rule(RuleKind.PHRASE, f"{word()} {word()}", exceptions=(word(),)))
        else:
            rules.append(Rule(RuleKind.WORD, word()))
    return rules


def measure_time() -> dict[str, Any]:
    """Measure the milliseconds for a prompt of 6,000 characters with 1,000 rules.

    Each text is made of plain prompts, joined until it is long enough. Every tenth text is made of
    disguised terms instead.
    """
    policy = PromptPolicy(rules=make_rules())
    plain = list_plain_prompts()
    disguised = [prompt for _, _, prompt in list_disguised()]
    pick = random.Random(7)
    wall: list[float] = []
    cpu: list[float] = []
    policy.judge(", ".join(disguised), "")  # not measured: the first use fills the character tables
    for number in range(_NUM_TIMED):
        pool = disguised if number % 10 == 0 else plain
        text = clean_prompt(", ".join(pick.choices(pool, k=600)))[:_NUM_CHARACTERS]
        started, started_cpu = time.perf_counter(), time.thread_time()
        policy.judge(text, "")
        cpu.append((time.thread_time() - started_cpu) * 1000)
        wall.append((time.perf_counter() - started) * 1000)
    return {
        "p99_milliseconds": _percentile(wall, 99),
        "p99_cpu_milliseconds": _percentile(cpu, 99),
        "median_milliseconds": statistics.median(wall),
        "rules": _NUM_RULES,
        "characters": _NUM_CHARACTERS,
    }


async def measure_worst(rounds: int = 3) -> dict[str, Any]:
    """Return the hostile text that takes longest, and the event loop's longest lag meanwhile.

    Texts are judged in a thread, as in the bot. The quickest round of each text counts.
    """
    policy = PromptPolicy(TERMS, make_rules())
    lags: list[float] = []
    ticker = asyncio.create_task(tick(lags))
    took: dict[str, float] = {}
    for name, text in list_hostile(_NUM_CHARACTERS).items():
        for _ in range(rounds):
            started = time.perf_counter()
            await asyncio.to_thread(policy.judge, text, "")
            seconds = time.perf_counter() - started
            took[name] = min(seconds, took.get(name, seconds))
    await asyncio.sleep(0.05)  # wait, so that the lag of the last text is recorded too
    ticker.cancel()
    worst = max(took, key=took.__getitem__)
    return {
        "worst_milliseconds": took[worst] * 1000,
        "worst_text": worst,
        "hostile_texts": len(took),
        "hostile_loop_lag_milliseconds": max(lags) * 1000,
    }


def make_worst_rules() -> dict[str, tuple[list[Rule], str]]:
    """Return the costliest rules that a server may have, and the costliest texts for them."""
    steps, letters = SERVER_BUDGET.steps, SERVER_BUDGET.letters
    coin = random.Random(3)
    tossed = "".join(coin.choices("ab", k=_NUM_CHARACTERS))
    words = "".join(coin.choices(("a ", "b "), k=_NUM_CHARACTERS // 2))
    small = [rf"a[ab]{{{60 + number % 40}}}{number}" for number in range(steps // 120)]
    large = [rf"[ab]*a[ab]{{{900 + number}}}!" for number in range(steps // 920)]
    largest = ["(?:a?){310}!"] * (steps // 650)
    many = [rf"[ab]a[ab]{{9}}{number}" for number in range(steps // 22)]
    patterns = {"small": small, "large": large, "largest": largest, "many": many}
    rules = {
        name: (
            [Rule(RuleKind.PATTERN, text) for text in texts],
            tossed if name != "largest" else "a" * _NUM_CHARACTERS,
        )
        for name, texts in patterns.items()
    }
    alike = [f"a b {number}" for number in range(2000)]
    rules["phrases that begin alike"] = ([Rule(RuleKind.PHRASE, text) for text in alike], words)
    same = [
        Rule(RuleKind.WORD, f"a{number}", exceptions=("a", "b", "a b")) for number in range(2000)
    ]
    rules["the same exceptions"] = (same, words)
    masked = ["".join(coin.choices("abcdefgh", k=16)) for _ in range(letters // 20)]
    rules["long words"] = ([Rule(RuleKind.WORD, text) for text in masked[:2000]], words)
    return rules


def measure_worst_rules(rounds: int = 3) -> dict[str, Any]:
    """Measure how long it takes to compile a server's worst rules, and to judge with them.

    Rules are compiled again for each round, because compiled rules cache what they have seen.
    """
    policy = PromptPolicy()
    report: dict[str, Any] = {}
    for characters in (2000, _NUM_CHARACTERS):
        judging: dict[str, float] = {}
        compiling: dict[str, float] = {}
        for name, (rules, text) in make_worst_rules().items():
            for _ in range(rounds):
                started = time.perf_counter()
                book = RuleBook(rules)
                compiled = time.perf_counter()
                policy.judge(text[:characters], text[:characters], book)
                ended = time.perf_counter()
                judging[name] = max(ended - compiled, judging.get(name, 0.0))
                compiling[name] = max(compiled - started, compiling.get(name, 0.0))
        worst = max(judging, key=judging.__getitem__)
        report[f"worst_rules_{characters}_milliseconds"] = judging[worst] * 1000
        report[f"worst_rules_{characters}"] = worst
        report["worst_rules_compile_milliseconds"] = max(compiling.values()) * 1000
    return report


def measure_picture_check(rounds: int = 20) -> dict[str, Any]:
    """Measure milliseconds per picture of 512 × 512, and the memory of the loaded classifier."""
    process = psutil.Process()
    before = process.memory_info().rss
    check = PictureCheck(0.3)
    started = time.perf_counter()
    check.probe().result()
    load_seconds = time.perf_counter() - started
    images = np.random.default_rng(1).integers(0, 256, (3, 512, 512, 3), np.uint8)
    panel: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        check.judge(1, images, (None, None, None)).result()
        panel.append((time.perf_counter() - started) * 1000 / len(images))
    grown = (process.memory_info().rss - before) / 2**20
    check.close()
    return {
        "picture_check_milliseconds_per_panel": statistics.median(panel),
        "picture_check_load_seconds": load_seconds,
        "picture_check_memory_mib": grown,
    }


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


if __name__ == "__main__":
    sys.exit(main())
