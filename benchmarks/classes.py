"""python -m benchmarks.classes [--json] [FILE …]: how much the built-in classes find.

The program makes its texts in memory. Each text is a plain sentence with a term of the lexicon and
a neutral term for an age or a person. Only the code under test reads these texts; they are not
kept, printed or logged. If a text was not found, the report names only its neutral term. Harmless
prompts come from files with one prompt on each line (see benchmarks/harmless).
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bot.domain.rules import Outcome
from bot.moderation import PromptPolicy
from bot.moderation.lexicon import read_languages, read_lexicon
from bot.moderation.text import clean_prompt

_HERE = Path(__file__).parent
HARMLESS = tuple(sorted((_HERE / "harmless").glob("*.txt")))
MAX_FRAME_WORDS = 8
_YEARS = (8, 11, 14, 17)
_PER_ENTRY = 12  # how many texts are made with each neutral term
_MINORS = ("ages", "schools", "tags")
_PEOPLE = ("names", "dead", "roles")
_NEGATIVE = " || "
_CHOICE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Case:
    """A text to judge. entry: the neutral term in it. term: the term of the lexicon in it."""

    language: str
    kind: str
    entry: str
    term: str
    prompt: str
    negative: str = ""


def read_terms() -> dict[str, dict[str, list[str]]]:
    """Read each language's sentences and neutral terms. # stands for an age."""
    return json.loads((_HERE / "class_terms.json").read_text("utf-8"))


def list_cases(seed: int = 17) -> Iterator[Case]:
    """List all prompts that must be refused or held."""
    pick = random.Random(seed)
    for language, slots in read_terms().items():
        lexicon = read_languages().get(language, read_lexicon())
        sexual = [*lexicon["sexual"], *lexicon["sexual_weak"]]
        for kind in (*_MINORS, *_PEOPLE):
            for entry in _list_entries(slots.get(kind, ())):
                terms = sexual if kind in _MINORS else lexicon["sexual"]
                for term in pick.sample(terms, _PER_ENTRY):
                    text = pick.choice(slots["frames"]).format(who=entry, term=term)
                    yield Case(language, kind, entry, term, text)
        for entry in slots["negatives"]:
            for term in pick.sample(lexicon["sexual"], _PER_ENTRY):
                yield Case(language, "negatives", entry, term, term, entry)


def list_adult_cases(seed: int = 19) -> Iterator[Case]:
    """List the same sentences, but about adults without names. No class may refuse them."""
    pick = random.Random(seed)
    slots, lexicon = read_terms()["en"], read_lexicon()
    for entry in slots["adults"]:
        for term in pick.sample(lexicon["sexual"], _PER_ENTRY):
            text = pick.choice(slots["frames"]).format(who=entry, term=term)
            yield Case("en", "adults", entry, term, text)


def list_harmless(paths: Iterable[Path] = HARMLESS) -> Iterator[tuple[str, str]]:
    """List prompts with their negative prompts. {a|b} in a line makes two prompts, with a or b."""
    for path in paths:
        for line in path.read_text("utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                for text in _expand(line.strip()):
                    prompt, _, negative = text.partition(_NEGATIVE)
                    yield prompt, negative


def measure_recall(policy: PromptPolicy) -> dict[str, Any]:
    """Return the recall by language and kind. Held prompts count as found: they are not drawn."""
    total, found, refused = Counter[str](), Counter[str](), Counter[str]()
    missed = Counter[str]()
    for case in list_cases():
        outcome = policy.judge(clean_prompt(case.prompt), clean_prompt(case.negative)).outcome
        for key in (case.language, f"{case.language} {case.kind}"):
            total[key] += 1
            found[key] += outcome in {Outcome.REFUSE, Outcome.HOLD}
            refused[key] += outcome is Outcome.REFUSE
        if outcome not in {Outcome.REFUSE, Outcome.HOLD}:
            missed[f"{case.language} {case.kind}: {case.entry}"] += 1
    return {
        "recall": {key: found[key] / total[key] for key in total},
        "refused": {key: refused[key] / total[key] for key in total},
        "texts": total.total() // 2,
        "missed": dict(missed.most_common()),
    }


def measure_false_positives(policy: PromptPolicy, paths: Iterable[Path]) -> dict[str, Any]:
    """Return the share of harmless prompts that are refused or held, and list those prompts."""
    prompts = list(list_harmless(paths))
    wrong = [
        f"{prompt}{_NEGATIVE}{negative}" if negative else prompt
        for prompt, negative in prompts
        if not policy.judge(clean_prompt(prompt), clean_prompt(negative)).is_allowed
    ]
    adults = list(list_adult_cases())
    stopped = sum(not policy.judge(clean_prompt(case.prompt), "").is_allowed for case in adults)
    return {
        "harmless": len(prompts),
        "false_positive_rate": len(wrong) / len(prompts) if prompts else 0.0,
        "false_positives": wrong,
        "adults": len(adults),
        "adults_stopped_rate": stopped / len(adults),
    }


def main() -> None:
    """Run both measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("files", nargs="*", type=Path, default=HARMLESS, metavar="FILE")
    arguments = parser.parse_args()
    policy = PromptPolicy()
    report = {**measure_recall(policy), **measure_false_positives(policy, arguments.files)}
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    for key, rate in report["recall"].items():
        print(f"{key:16} found {rate:7.1%}   refused {report['refused'][key]:7.1%}")
    for key in ("texts", "harmless", "false_positive_rate", "adults", "adults_stopped_rate"):
        print(f"{key:24} {report[key]:.4f}" if "rate" in key else f"{key:24} {report[key]}")
    print("\n".join(f"  missed {count:2} {entry}" for entry, count in report["missed"].items()))
    print("\n".join(f"  stopped: {prompt}" for prompt in report["false_positives"]))


def _list_entries(entries: Iterable[str]) -> Iterator[str]:
    for entry in entries:
        if "#" in entry:
            yield from (entry.replace("#", str(years)) for years in _YEARS)
        else:
            yield entry


def _expand(line: str) -> Iterator[str]:
    parts = _CHOICE.split(line)
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    return ("".join(chosen) for chosen in product(*choices))


if __name__ == "__main__":
    main()
