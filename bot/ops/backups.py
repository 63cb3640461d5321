"""Copies the database once a day, and saves the data if somebody removed its file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.errors import StoreError
from bot.store import Backups, Database

log = logging.getLogger(__name__)


async def keep_backup(backups: Backups, now: Callable[[], float]) -> None:
    """Make today's backup if there is none, and remove old backups. Raises StoreError."""
    path = await backups.keep(now())
    if path is not None:
        log.info("backup %s made", path)
    for old in await asyncio.to_thread(backups.prune, now()):
        log.info("old backup %s removed", old)


class RecordWatch:
    """Notices if somebody removed or replaced the database file, and saves the open file's data."""

    def __init__(self, database: Database, backups: Backups, now: Callable[[], float]) -> None:
        self._database = database
        self._backups = backups
        self._now = now
        self._was_in_place = True

    async def look(self) -> None:
        """Check the file. If it is gone for the first time, log that and save the data."""
        was_in_place, self._was_in_place = self._was_in_place, self._database.is_in_place()
        if was_in_place and not self._was_in_place:
            log.error(
                "the database file was removed or replaced while Triptych was running, so Triptych "
                "takes no new prompts. Stop it, then put the file back or run `triptych restore`"
            )
            await self.save()

    async def save(self) -> None:
        """If the database file is gone, copy the open database to the backups."""
        if self._database.is_in_place():
            return
        try:
            log.error(
                "the data of the lost database is saved in %s",
                await self._backups.rescue(self._now()),
            )
        except StoreError as error:
            log.error("the data of the lost database could not be saved: %s", error)
