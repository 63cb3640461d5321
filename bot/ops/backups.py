"""Copies the database once a day, and saves its data if its file was removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.errors import StoreError
from bot.store import Backups, Database

log = logging.getLogger(__name__)


async def keep_backup(backups: Backups, now: Callable[[], float]) -> None:
    """Make today's copy if there is none, and remove old ones. Raises StoreError."""
    path = await backups.keep(now())
    if path is not None:
        log.info("backup %s made", path)
    for old in await asyncio.to_thread(backups.prune, now()):
        log.info("old copy %s removed", old)


class RecordWatch:
    """Notices that the database file was removed or replaced, and saves the open one's data."""

    def __init__(self, database: Database, backups: Backups, now: Callable[[], float]) -> None:
        self._database = database
        self._backups = backups
        self._now = now
        self._was_in_place = True

    async def look(self) -> None:
        """Check once. If the file is gone, log that and save the data, but only the first time."""
        was_in_place, self._was_in_place = self._was_in_place, self._database.is_in_place()
        if was_in_place and not self._was_in_place:
            log.error(
                "the database file was removed or replaced while Triptych was running, so it takes "
                "no new prompts. Stop Triptych, then put the file back or run `triptych restore`"
            )
            await self.save()

    async def save(self) -> None:
        """Copy the database to the backups if its file is gone; do nothing if it is in place."""
        if self._database.is_in_place():
            return
        try:
            log.error(
                "the data of the lost database is saved in %s",
                await self._backups.rescue(self._now()),
            )
        except StoreError as error:
            log.error("the data of the lost database could not be saved: %s", error)
