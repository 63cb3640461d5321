"""Finds the words of a prompt that the starter model does not know, to explain poor pictures."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from bot.domain.recipes import Recipe
from bot.ops.resources import get_starter_model_folder
from bot.texts.recipes import NO_WORD_KNOWN, WORDS_UNKNOWN
from bot.texts.units import say_list

_MAX_NAMED = 3
_WORD = re.compile(r"[^\W\d_]+")


@cache
def _read() -> dict[str, Any]:
    path = get_starter_model_folder() / "vocabulary.json"
    found = json.loads(path.read_text("utf-8"))
    return found | {key: frozenset(found[key]) for key in ("links", "nouns", "words")}


def describe_unknown(recipe: Recipe) -> str:
    """Name the words that the starter model does not know; "" if there are none, or if another
    model draws.

    Words after the first comma are ignored, because they are mostly about style. An unknown word
    before a known noun ("majestic" in "a majestic dog") is ignored too, because it only describes
    the noun.
    """
    known = _read()
    if recipe.model != known["model"] or recipe.is_enlarged:
        return ""
    parts = recipe.typed_prompt.lower().split(",")
    words = next(filter(None, (_WORD.findall(part) for part in parts)), [])
    words = [word for word in words if word not in known["links"]]
    strange = [
        word
        for word, following in zip(words, [*words, ""][1:], strict=True)
        if word not in known["words"] and following not in known["nouns"]
    ]
    if not strange:
        return ""
    text = WORDS_UNKNOWN if any(word in known["words"] for word in words) else NO_WORD_KNOWN
    named = [f"“{word}”" for word in dict.fromkeys(strange)][:_MAX_NAMED]
    return text(count=known["things"], words=say_list(named))
