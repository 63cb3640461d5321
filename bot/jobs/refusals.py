"""Limits how many refused prompts of one member are judged and stored one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.jobs import Origin, Source
from bot.errors import UserError
from bot.ops.limits import HOUR_SECONDS, Buckets
from bot.store import AuditRepository
from bot.texts.codes import Code
from bot.texts.reasons import because

_BURST_SHARE = 4  # at once, a member may use a quarter of what is allowed in an hour


class Refusals:
    """Allows each member a number of refused prompts per hour. Prompts after that are not read.

    Accepted prompts do not count towards this limit.
    """

    def __init__(self, audit: AuditRepository, per_hour: int, now: Callable[[], float]) -> None:
        self._audit = audit
        size = max(per_hour // _BURST_SHARE, 1)
        self._buckets = Buckets[int](size, HOUR_SECONDS / per_hour, now)
        self._now = now
        self._unread: Counter[tuple[int | None, int]] = Counter()

    def check(self, origin: Origin) -> None:
        """Raise UserError if too many of this member's prompts were refused already."""
        opens = self._buckets.find_opening(origin.user_id)
        if opens is None or origin.source is Source.TERMINAL:
            return
        self._unread[origin.guild_id, origin.user_id] += 1
        raise UserError(because(Code.TOO_MANY_REFUSED, opens=opens))

    def book(self, origin: Origin) -> None:
        """Call ``check``, then count a refused prompt."""
        self.check(origin)
        self.note(origin)

    def note(self, origin: Origin) -> None:
        """Count a prompt that was refused because of its picture, after its row was inserted."""
        self._buckets.take(origin.user_id)

    async def write_down(self) -> None:
        """Write into the audit log how many prompts were not read. A restart loses the count."""
        for (guild_id, member_id), count in list(self._unread.items()):
            reason = because(Code.NOT_READ, count=count)
            await self._audit.add(
                AuditEntry(
                    AuditAction.PROMPTS_NOT_READ,
                    self._now(),
                    guild_id=guild_id,
                    member_id=member_id,
                    reason=reason,
                )
            )
            self._unread[guild_id, member_id] -= count
        self._unread = +self._unread  # drop the counts that are zero
