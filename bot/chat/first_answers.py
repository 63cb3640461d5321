"""Finds out why Discord already has a first answer: we sent it, or another program did.

Discord takes one first answer to an interaction and refuses all later ones with code 40060. If this
process sent only one answer and that was refused, a second program with the same token has
answered.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from types import SimpleNamespace

import aiohttp
import discord

log = logging.getLogger(__name__)

ALREADY_ACKNOWLEDGED = 40060
_CALLBACK = re.compile(r"/interactions/([0-9]+)/[^/]+/callback$")
_MAX_REMEMBERED = 10_000  # at full load, so many interactions arrive in a few minutes
_FRESH_SECONDS = 3600.0


class FirstAnswers:
    """Counts how often each first answer was sent, including discord.py's own retries."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._sent: OrderedDict[int, int] = OrderedDict()
        self._seen_at: float | None = None

    @property
    def is_contested(self) -> bool:
        """Return whether another program has answered within the last hour."""
        return self._seen_at is not None and self._now() - self._seen_at < _FRESH_SECONDS

    def watch(self, trace: aiohttp.TraceConfig) -> None:
        """Count the requests of every session that uses this trace."""

        async def look(
            session: aiohttp.ClientSession,
            context: SimpleNamespace,
            start: aiohttp.TraceRequestStartParams,
        ) -> None:
            if match := _CALLBACK.search(start.url.path):
                self.count(int(match[1]))

        trace.on_request_start.append(look)

    def count(self, interaction_id: int) -> None:
        """Count one request."""
        self._sent[interaction_id] = self._sent.pop(interaction_id, 0) + 1
        if len(self._sent) > _MAX_REMEMBERED:
            self._sent.popitem(last=False)

    def is_of_another(self, interaction_id: int, error: BaseException) -> bool:
        """Return whether Discord refused our only answer because another program answered first.

        Warns the owner.
        """
        is_refused = isinstance(error, discord.HTTPException) and error.code == ALREADY_ACKNOWLEDGED
        if not is_refused or self._sent.get(interaction_id, 0) != 1:
            return False
        self._seen_at = self._now()
        log.error(
            "Another program with this bot's token has answered interaction %s before Triptych "
            "could; Triptych does not draw the prompt and charges nothing. While both run, members "
            "get answers from either. Stop the other one; if you do not know it, reset the token "
            "(Reset Token on the Bot page of https://discord.com/developers/applications) and put "
            "the new token into the .env of the program that you want to run.",
            interaction_id,
        )
        return True
