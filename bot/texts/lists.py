"""The text at the end of every shortened list."""

from __future__ import annotations

from bot.texts.catalog import Plural

AND_MORE = Plural("and {count:,} more", "and {count:,} more")
