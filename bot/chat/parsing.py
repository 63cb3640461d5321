"""Reads sizes, seeds and numbers as people type them."""

from __future__ import annotations

import re

from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.recipes.validate import MAX_SEED
from bot.texts.catalog import Text
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views.escape import quote

_SIZE = re.compile(r"\s*(\d{1,5})\s*[x×*, ]\s*(\d{1,5})\s*")


def parse_size(text: str | None) -> tuple[int | None, int | None]:
    """Read "512x768" as (512, 768). Raises UserError."""
    if not text:
        return None, None
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UserError(because(Code.SIZE_NOT_READ))
    return int(match[1]), int(match[2])


def parse_seed(text: str | None) -> int | None:
    """Read a whole number, as text because Discord's integers end at 2⁵³. Raises UserError."""
    if not text or not text.strip():
        return None
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", text.strip()):
        raise UserError(because(Code.SEED_NOT_READ, most=MAX_SEED))
    return int(text)


def parse_number(text: str, fault: Text) -> float | None:
    """Read a number; "" means the default. Raises a UserError that says ``fault``."""
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,6}(?:[.,][0-9]{1,6})?", text.strip()):
        raise UserError(fault(text=quote(clean_prompt(text), 40)))
    return float(text.strip().replace(",", "."))
