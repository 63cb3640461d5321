"""Searches with people's own patterns. RE2 makes sure that no pattern can take very long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import re2

from bot.errors import ConfigError
from bot.moderation.allowance import unlimited
from bot.texts import rules as texts

MAX_PATTERN_STEPS = 1250
"""The most steps of one pattern. A search takes up to 30 ns per step and character, and nothing can
interrupt it.
"""

# Seconds of compiling that count as one step. Normal patterns need a tenth to a quarter of this.
_STEP_SECONDS = 1e-5

# Bytes of memory for each pattern. This limits compiling to about 10,000 steps (10 ms).
# It also limits the search's cache. With less memory, searches are up to 400 times slower.
_MAX_MEM = 1 << 20
# The most steps of patterns in one search, because no search can be interrupted.
# The owner's rules have no time limit, so one search for them may have more steps.
# With four times as many steps as the owner's limit, RE2's cache would be too small.
SET_STEPS = 512
OWNER_SET_STEPS = 2048
_ALWAYS = ""  # This matches every text. If RE2 does not find it, RE2 has given up.


def _make_options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEM
    options.case_sensitive = False
    options.never_capture = True  # we only need the place of a match
    return options


def count_steps(pattern: str, clock: Callable[[], float] = time.thread_time) -> int:
    """Return the size of a pattern's program or its compile time in steps, whichever is more.

    A long pattern may have a tiny program. Raises ConfigError with the reason if the pattern is
    refused.

    Compiling blocks all threads for up to 0.2 s, so weigh unknown patterns in a worker process.
    """
    re2.purge()  # otherwise RE2's cache would make compiling seem to cost nothing
    begin = clock()
    size = compile_pattern(pattern).programsize
    steps = max(size, int((clock() - begin) / _STEP_SECONDS))
    if steps > MAX_PATTERN_STEPS:
        raise ConfigError(texts.PATTERN_TOO_SLOW(pattern=repr(pattern)))
    return steps


class PatternSet:
    """Patterns that are compiled once and then searched for in small groups."""

    def __init__(self, patterns: Sequence[str], set_steps: int = SET_STEPS) -> None:
        """Raises ConfigError with RE2's reason for a pattern that it refuses."""
        self._patterns = [compile_pattern(pattern) for pattern in patterns]
        self._groups: list[_Group] = []
        steps = set_steps
        for number, (pattern, one) in enumerate(zip(patterns, self._patterns, strict=True)):
            if steps + one.programsize > set_steps:
                self._groups.append(_Group(number))
                steps = 0
            steps += one.programsize
            self._groups[-1].patterns.append(pattern)
        for group in self._groups:
            group.compile()

    def find(self, text: str, check: Callable[[], None] = unlimited) -> Iterator[int]:
        """Return the numbers of the patterns that match anywhere in the text.

        check: called before each part of the search. If it raises an error, the search ends.
        """
        encoded = text.encode()
        for group in self._groups:
            check()
            found = group.find(encoded)
            if found is not None:
                yield from found
                continue
            for number in group.numbers:
                check()
                if self._patterns[number].search(encoded):
                    yield number

    def list_spans(self, number: int, text: str) -> Iterator[tuple[int, int]]:
        """List the start and end of each match of one pattern, in characters."""
        return (match.span() for match in self._patterns[number].finditer(text))


@dataclass(slots=True)
class _Group:
    """Several small patterns that are searched together, or one large pattern."""

    first: int
    patterns: list[str] = field(default_factory=list)
    together: re2.Set | None = None
    always: int = 0

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + len(self.patterns))

    def compile(self) -> None:
        if len(self.patterns) == 1:
            return  # for a single pattern, RE2's normal search is faster in the worst case
        together = re2.Set.SearchSet(_make_options())
        for pattern in self.patterns:
            together.Add(pattern)
        self.always = together.Add(_ALWAYS)
        together.Compile()
        self.together = together

    def find(self, text: bytes) -> list[int] | None:
        """Find matches; None if the patterns must be searched one by one."""
        found = self.together.Match(text) if self.together is not None else None
        # If RE2 does not find ``_ALWAYS``, it ran out of memory. Single patterns need little.
        if not found or self.always not in found:
            return None
        return sorted(self.first + number for number in found if number != self.always)


def compile_pattern(pattern: str) -> re2._Regexp:
    """Compile a pattern. Raises ConfigError with the reason if the pattern is refused."""
    try:
        compiled = re2.compile(pattern, _make_options())
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ConfigError(texts.PATTERN_REFUSED(pattern=repr(pattern), fault=text)) from None
    if compiled.programsize > MAX_PATTERN_STEPS:
        raise ConfigError(
            texts.PATTERN_TOO_LARGE(
                pattern=repr(pattern), count=compiled.programsize, most=MAX_PATTERN_STEPS
            )
        )
    return compiled
