"""Shows members' words to other people as typed, without Discord's formatting or mentions."""

from __future__ import annotations

import re
import unicodedata

import discord

_PROMPT_SHOWN = 300
# signs that Discord acts on: anywhere, in a web address, at the start of a line, or in an invite
# without https
_MARKDOWN = re.compile(
    r"[\\*_~`|<\[\]]|:(?=//)|^[#>+-]|(?:(?<=discord\.gg)|(?<=\.com/invite))/", re.IGNORECASE
)


def quote(text: str, limit: int = _PROMPT_SHOWN) -> str:
    """Escape a text, so that Discord shows it as typed: no markdown, mention or link, on one line.

    First it is cut at ``limit``. Escaping at most doubles its length, and adds two marks, so that a
    text from right to left does not change the direction of other text.
    """
    text = cut(" ".join(text.split()), limit)
    escaped = discord.utils.escape_mentions(_MARKDOWN.sub(r"\\\g<0>", text))
    is_right_to_left = any(unicodedata.bidirectional(char) in {"R", "AL"} for char in text)
    return f"\u2068{escaped}\u2069" if is_right_to_left else escaped


def cut(text: str, limit: int) -> str:
    """Cut a text after the last word that fits, or within a word that is very long."""
    if len(text) <= limit:
        return text
    kept = text[:limit]
    if (end := kept.rfind(" ")) >= limit // 2:
        kept = kept[:end]
    return kept[: limit - 1].rstrip(" ,;:") + "…"


def quote_lines(text: str, limit: int) -> str:
    """Escape a text of several lines, and cut it after the last whole line that fits."""
    lines: list[str] = []
    for line in text.splitlines():
        limit -= len(line) + 1
        if limit < 0:
            lines.append("…")
            break
        lines.append(quote(line))
    return "\n".join(lines)
