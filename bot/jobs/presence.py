"""Finds out whether a member is still in the server where they asked.

If Discord gives no clear answer in time, the member counts as still there, and no job waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable

from bot.domain.jobs import Job, Source
from bot.jobs.ports import Messenger, NotPosted
from bot.ops.logs import of_job
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

FRESH_SECONDS = 60.0  # seconds for which we do not ask about the same member again
ANSWER_SECONDS = 2.0
# few, because Discord allows 50 requests a second and messages need most of them
MAX_PER_MINUTE = 60
_MAX_SEEN = 1000
_MINUTE_SECONDS = 60.0

MEMBER_LEFT = because(Code.MEMBER_LEFT)


class Presence:
    """Asks Discord about one member at a time, at most MAX_PER_MINUTE times a minute."""

    def __init__(self, messenger: Messenger, now: Callable[[], float]) -> None:
        self._messenger = messenger
        self._now = now
        self._seen: OrderedDict[tuple[int, int], float] = OrderedDict()
        self._asked: deque[float] = deque(maxlen=MAX_PER_MINUTE)

    async def has_left(self, job: Job) -> bool:
        """Return whether a job's member has left its server or was kicked or banned."""
        origin = job.origin
        if origin.guild_id is None or not origin.bot_in_channel:
            return False
        who, now = (origin.guild_id, origin.user_id), self._now()
        seen_at = max(job.accepted_at, self._seen.get(who, 0.0))
        if origin.source is not Source.INTERACTION or now - seen_at < FRESH_SECONDS:
            return False
        if len(self._asked) == MAX_PER_MINUTE and now - self._asked[0] < _MINUTE_SECONDS:
            return False
        self._asked.append(now)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                has_left = await self._messenger.has_left(*who)
        except (NotPosted, TimeoutError) as error:
            of_job(log, job.job_id).info(
                "Discord did not say whether the author has left: %r", error
            )
            return False
        if not has_left:
            self._seen[who] = now
            self._seen.move_to_end(who)
            if len(self._seen) > _MAX_SEEN:
                self._seen.popitem(last=False)
        return has_left
