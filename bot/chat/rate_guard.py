"""Stops sending requests before Discord bans the address.

10,000 answers with 401, 403 or 429 in ten minutes ban an address and everybody behind it:
https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace

import aiohttp

log = logging.getLogger(__name__)

WINDOW_SECONDS = 600.0
MAX_INVALID = 1_000
_INVALID_STATUSES = {401, 403, 429}


class RateGuard:
    """Counts refused requests. After too many, it blocks all requests, and callers retry later."""

    def __init__(
        self, max_invalid: int = MAX_INVALID, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_invalid = max_invalid
        self._now = now
        self._moments: deque[float] = deque()

    @property
    def num_invalid(self) -> int:
        """Return the number of refused requests in the last ten minutes."""
        while self._moments and self._moments[0] < self._now() - WINDOW_SECONDS:
            self._moments.popleft()
        return len(self._moments)

    @property
    def is_open(self) -> bool:
        """Return whether requests are blocked now."""
        return self.num_invalid >= self._max_invalid

    def count(self, status: int, scope: str | None) -> None:
        """Count an answer. A 429 for a limit that is shared with other bots does not count."""
        if status not in _INVALID_STATUSES or scope == "shared":
            return
        self._moments.append(self._now())
        if len(self._moments) == self._max_invalid:
            log.error(
                "Discord refused %s requests in ten minutes; sending stops for up to ten minutes. "
                "Check the bot's token and its permissions.",
                self._max_invalid,
            )

    def trace(self) -> aiohttp.TraceConfig:
        """Make a hook for discord.py's session that counts answers and blocks requests."""

        async def refuse(*ignored: object) -> None:
            if self.is_open:
                raise aiohttp.ClientConnectionError("too many refused requests; waiting")

        async def look(
            session: aiohttp.ClientSession,
            context: SimpleNamespace,
            end: aiohttp.TraceRequestEndParams,
        ) -> None:
            self.count(end.response.status, end.response.headers.get("X-RateLimit-Scope"))

        config = aiohttp.TraceConfig()
        config.on_request_start.append(refuse)
        config.on_request_end.append(look)
        return config
