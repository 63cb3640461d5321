"""How many prompts of one member are refused one by one, with a row and a reason each."""

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

_BURST_SHARE = 4  # of what an hour allows, this part may come at once


class Refusals:
    """Lets so many prompts of a member be refused. What comes after is only counted.

    Prompts that are taken use nothing up.
    """

    def __init__(self, audit: AuditRepository, per_hour: int, now: Callable[[], float]) -> None:
        self._audit = audit
        size = max(per_hour // _BURST_SHARE, 1)
        self._buckets = Buckets[int](size, HOUR_SECONDS / per_hour, now)
        self._now = now
        self._unread: Counter[tuple[int | None, int]] = Counter()

    def check(self, origin: Origin) -> None:
        """Before a prompt is looked at. Raises UserError if too many were refused."""
        opens = self._buckets.find_opening(origin.user_id)
        if opens is None or origin.source is Source.TERMINAL:
            return
        self._unread[origin.guild_id, origin.user_id] += 1
        raise UserError(because(Code.TOO_MANY_REFUSED, opens=opens))

    def book(self, origin: Origin) -> None:
        """A prompt is refused. Raises UserError, as ``check`` does, if it is one too many."""
        self.check(origin)
        self.note(origin)

    def note(self, origin: Origin) -> None:
        """A prompt was refused that had a row already, because of its picture."""
        self._buckets.take(origin.user_id)

    async def write_down(self) -> None:
        """Tell the moderators how many there were. What a stop cuts short is not counted."""
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
        self._unread = +self._unread  # without those that are down to nothing
