"""Patterns that owners write, in RE2 syntax: no pattern and no text can make it stall."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import re2

from bot.errors import ConfigError

_MAX_MEM_PER_PATTERN = 1 << 20  # bytes; a pattern that needs more is refused
_MAX_MEM_OF_ALL = 64 << 20
_MAX_SIZE = 5000  # instructions; RE2's slowest way costs their number times the text's length
_ALWAYS = ""  # matches every text: its absence says that the set gave up


def _make_options(max_mem: int) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_mem
    options.case_sensitive = False
    return options


class PatternSet:
    """Patterns compiled once and searched together."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Raises ConfigError with RE2's reason for a pattern that it refuses."""
        self._patterns = [_compile(pattern) for pattern in patterns]
        self._set = re2.Set.SearchSet(_make_options(_MAX_MEM_OF_ALL))
        for pattern in patterns:
            self._set.Add(pattern)
        self._always = self._set.Add(_ALWAYS)
        try:
            self._set.Compile()
        except re2.error:
            raise ConfigError("the patterns together are too large; use fewer") from None

    def find(self, text: str) -> Iterable[int]:
        """The numbers of the patterns that match somewhere in the text."""
        if not self._patterns:
            return ()
        found = self._set.Match(text) or []
        if self._always not in found:  # out of memory: ask them one by one, which needs little
            return [number for number, one in enumerate(self._patterns) if one.search(text)]
        return sorted(number for number in found if number != self._always)

    def list_spans(self, number: int, text: str) -> Iterator[tuple[int, int]]:
        """Where one pattern matches, in characters."""
        return (match.span() for match in self._patterns[number].finditer(text))


def _compile(pattern: str) -> re2._Regexp:
    try:
        compiled = re2.compile(pattern, _make_options(_MAX_MEM_PER_PATTERN))
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ConfigError(f"the pattern {pattern!r} cannot be used: {text}") from None
    if compiled.programsize > _MAX_SIZE:
        raise ConfigError(
            f"the pattern {pattern!r} cannot be used: it is too large ({compiled.programsize} "
            f"steps, the most are {_MAX_SIZE}); write + or * instead of counting"
        )
    return compiled
