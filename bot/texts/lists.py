"""The last line of a list that is too long to show."""

from __future__ import annotations

from bot.texts.catalog import Plural

AND_MORE = Plural("and {count:,} more", "and {count:,} more")
