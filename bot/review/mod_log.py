"""Posts the audit log to a server's mod-log channel: in batches, each row once."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from bot.domain.audit import AuditEntry
from bot.jobs.ports import Undeliverable, Unreachable
from bot.ops.chores import Apart
from bot.store import AuditRepository, MetaRepository, SettingsRepository

log = logging.getLogger(__name__)

BATCH = 6  # rows in one message; with more, the message could be longer than Discord allows
MAX_BATCHES = 5  # messages for one guild in one round, so that other guilds do not wait
PAUSE_SECONDS = 600.0  # seconds to pause if the channel is deleted or closed to the bot
_SETTING = "mod_log_channel_id"

Post = Callable[[int, Sequence[AuditEntry], str], Awaitable[None]]
"""Called with the channel, the rows and a nonce. The same rows have the same nonce."""


class ModLog:
    """Posts the audit log. Before each message, it saves in the database which rows it will post.

    So it sends exactly the same message after a crash, and Discord recognises the nonce.
    """

    def __init__(
        self,
        audit: AuditRepository,
        settings: SettingsRepository,
        meta: MetaRepository,
        now: Callable[[], float],
    ) -> None:
        self._audit = audit
        self._settings = settings
        self._meta = meta
        self._now = now
        self._paused_until: dict[int, float] = {}
        self._apart = Apart(now)

    async def flush(self, post: Post) -> None:
        """Post the new rows of every server. ``post`` may raise Undeliverable or Unreachable.

        If it fails for some servers, SomeFailed is raised after all others are done.
        """
        guilds = await self._settings.list_guilds_with(_SETTING)
        await self._apart.run(
            {f"guild {guild_id}": partial(self._flush_in, guild_id, post) for guild_id in guilds}
        )

    async def _flush_in(self, guild_id: int, post: Post) -> None:
        channel_id = (await self._settings.fetch(guild_id)).mod_log_channel_id
        if channel_id is None or self._now() < self._paused_until.get(guild_id, 0.0):
            return
        try:
            for _ in range(MAX_BATCHES):
                if not await self._post_batch(guild_id, channel_id, post):
                    break
        except Undeliverable as error:
            log.warning("the mod log of guild %s cannot be posted: %s", guild_id, error)
            self._paused_until[guild_id] = self._now() + PAUSE_SECONDS
        except Unreachable as error:
            log.info("the mod log of guild %s waits for Discord: %s", guild_id, error)

    async def _post_batch(self, guild_id: int, channel_id: int, post: Post) -> bool:
        posted, pending = await self._fetch_cursor(guild_id)
        entries = await self._audit.search(
            guild_id, after_entry=posted, limit=BATCH, newest_first=False
        )
        if pending > posted:
            entries = [entry for entry in entries if entry.entry_id <= pending]
        if not entries:  # there is nothing new, or retention has deleted the pending rows
            if pending > posted:
                await self._put_cursor(guild_id, pending, pending)
            return pending > posted
        first, last = entries[0].entry_id, entries[-1].entry_id
        await self._put_cursor(guild_id, posted, last)
        await post(channel_id, entries, f"log-{first}")
        await self._put_cursor(guild_id, last, last)
        return True

    async def _fetch_cursor(self, guild_id: int) -> tuple[int, int]:
        """Return the last row that was certainly posted, and the last row that perhaps was."""
        kept = json.loads(await self._meta.fetch(_key(guild_id)) or '{"posted": 0, "pending": 0}')
        # Begin with the row that switched the mod log on. Do not post older rows.
        since = (await self._audit.fetch_first_set(guild_id, _SETTING) or 1) - 1
        return max(kept["posted"], since), max(kept["pending"], since)

    async def _put_cursor(self, guild_id: int, posted: int, pending: int) -> None:
        cursor = json.dumps({"posted": posted, "pending": pending})
        await self._meta.put(_key(guild_id), cursor)


def _key(guild_id: int) -> str:
    return f"mod_log:{guild_id}"
