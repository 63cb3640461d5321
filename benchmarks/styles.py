"""python -m benchmarks.styles [--per-style N] [--json]: measures how often the picture check flags
harmless pictures of the starter model, by style.

Every prompt is a harmless noun in a scene that the model knows, so every flag is a mistake.
This does not measure how many bad pictures the check misses, because none are drawn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmarks.bot import describe_environment
from bot.cli.run import make_engine
from bot.domain.recipes import Ask, Style
from bot.engine import GenerationRequest
from bot.moderation.opennsfw import OpenNsfw
from bot.recipes.resolve import complete_recipe, compose_recipe
from bot.recipes.styles import STARTERS, apply_style
from bot.settings import Settings
from training.scenes import SCENES
from training.vocabulary import SUBJECTS

_OWN = (  # the other styles that the starter model was trained on
    Style("none"),
    Style("flat", "a flat illustration of"),
    Style("black and white", "a black and white photo of"),
)
_THRESHOLDS = (0.1, 0.3, 0.5)
_SEED = 17
_AT_ONCE = 8


def main() -> None:
    """Draw, score and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-style", type=int, default=len(SUBJECTS), help="prompts per style")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    began_at = time.perf_counter()
    report = {"styles": measure(arguments.per_style), "environment": describe_environment()}
    report["seconds"] = round(time.perf_counter() - began_at)
    if arguments.json:
        print(json.dumps(report))
        return
    for name, figures in report["styles"].items():
        print(f"{name:16}", "  ".join(f"{key} {value}" for key, value in figures.items()))
    print(f"{report['seconds']} s")


def list_asks(style: Style, number: int) -> Iterator[Ask]:
    """List the prompts. Every style gets the same nouns, scenes and seeds."""
    for place, subject in enumerate(SUBJECTS[:number]):
        word = subject.words[0]
        scene = SCENES[place % len(SCENES)].phrases[0]
        text = f"{'an' if word[0] in 'aeiou' else 'a'} {word} {scene}"
        yield replace(apply_style(style, Ask(text)), seed=_SEED + place)


def measure(number: int) -> dict[str, dict[str, Any]]:
    """Draw three pictures for this many prompts of each style, and summarize their scores."""
    engine, classifier = make_engine(Settings()), OpenNsfw()
    scores: dict[str, list[float]] = defaultdict(list)
    info = engine.start().result()
    waiting = [
        (style.name, complete_recipe(compose_recipe(ask, _SEED), info))
        for style in (*_OWN, *STARTERS)
        for ask in list_asks(style, number)
    ]
    for first in range(0, len(waiting), _AT_ONCE):
        batch = waiting[first : first + _AT_ONCE]
        drawn = [
            engine.submit(GenerationRequest(first + place, recipe))
            for place, (_, recipe) in enumerate(batch)
        ]
        for (name, _), future in zip(batch, drawn, strict=True):
            scores[name] += map(classifier.score, future.result().images)
    engine.close(10)
    return {name: summarize(found) for name, found in scores.items()}


def summarize(scores: list[float]) -> dict[str, Any]:
    """Return percentiles of the scores, and how many pictures each threshold would flag."""
    cuts = statistics.quantiles(scores, n=100, method="inclusive")
    return {
        "pictures": len(scores),
        "median": round(cuts[49], 4),
        "p95": round(cuts[94], 4),
        "max": round(max(scores), 4),
        **{
            f"flagged at {limit:g}": sum(score >= limit for score in scores)
            for limit in _THRESHOLDS
        },
    }


if __name__ == "__main__":
    main()
