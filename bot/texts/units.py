"""Times and lists in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence

from babel.lists import format_list
from babel.units import format_unit

from bot.texts.catalog import get_locale, parse_locale


def say_duration(seconds: float) -> str:
    """Say roughly how long a time is, in one unit: 40 seconds, 2 minutes, 1 hour."""
    unit, size = "second", 1.0
    if seconds >= 100:
        unit, size = ("minute", 60.0) if seconds < 6000 else ("hour", 3600.0)
    count = max(round(seconds / size), 1)
    return format_unit(count, f"duration-{unit}", "long", locale=parse_locale(get_locale()))


def say_list(items: Sequence[object]) -> str:
    """Join names as in "one and two" or "one, two, and three"."""
    return format_list([str(item) for item in items], locale=parse_locale(get_locale()))
