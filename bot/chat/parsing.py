"""Reads sizes, seeds and numbers as people type them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.recipes.validate import MAX_SEED
from bot.texts.catalog import Text
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views.escape import quote

_NO_SHAPES: Mapping[str, str] = {}
# \u0445 and \u0425 are the Cyrillic letters that look like x and X.
# The word in brackets is the name of a shape, as in the suggestions.
_SIZE = re.compile(r"\s*(\d{1,5})\s*[xX×\u0445\u0425*, ]\s*(\d{1,5})\s*(?:\([^\W\d]+\)\s*)?")


def parse_size(
    text: str | None, shapes: Mapping[str, str] = _NO_SHAPES
) -> tuple[int | None, int | None]:
    """Turn "512x768" or the name of a shape into (512, 768). Raises UserError.

    shapes: sizes by name, in lower case: ``{"square": "512x512"}``.
    """
    if not text:
        return None, None
    match = _SIZE.fullmatch(shapes.get(text.strip().lower(), text))
    if match is None:
        raise UserError(because(Code.SIZE_NOT_READ))
    return int(match[1]), int(match[2])


def parse_seed(text: str | None) -> int | None:
    """Read a seed; None means a random one, which other programs write as -1. Raises UserError.

    The seed comes as text because Discord's own integers end at 2⁵³.
    """
    if not text or text.strip() in {"", "-1"}:
        return None
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", text.strip()):
        raise UserError(because(Code.SEED_NOT_READ, most=MAX_SEED))
    return int(text)


def parse_number(text: str, fault: Text) -> float | None:
    """Read a number; "" means the default. Raises a UserError with the text ``fault``."""
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,6}(?:[.,][0-9]{1,6})?", text.strip()):
        raise UserError(fault(text=quote(clean_prompt(text), 40)))
    return float(text.strip().replace(",", "."))
