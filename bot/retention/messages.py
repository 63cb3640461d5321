"""Deletes the messages of members who deleted their data, a few at a time."""

from __future__ import annotations

import logging

from bot.jobs.ports import Messenger, Undeliverable, Unreachable
from bot.store.retention import RetentionRepository

log = logging.getLogger(__name__)

MESSAGES_PER_ROUND = 3
ROUND_SECONDS = 5.0
"""Seconds between rounds. In all, 36 messages a minute; Discord allows 5 in 5 s in one channel."""


class MessageRemoval:
    """Deletes the listed messages. The list is in the database, so a restart does not stop this."""

    def __init__(self, retention: RetentionRepository, messenger: Messenger) -> None:
        self._retention = retention
        self._messenger = messenger
        # Discord did not answer about these channels, so we try all other channels first
        self._silent: set[int] = set()

    async def run(self) -> None:
        """Delete the next messages. Raises Unreachable at the end if any request got no answer."""
        fault: Unreachable | None = None
        list_next = self._retention.list_messages_to_delete
        messages = await list_next(MESSAGES_PER_ROUND, self._silent)
        if not messages:
            self._silent.clear()
            messages = await list_next(MESSAGES_PER_ROUND, self._silent)
        for channel_id, message_id in messages:
            try:
                await self._messenger.remove_message(channel_id, message_id)
            except Undeliverable as error:
                log.info("message %s is gone, or the bot may not delete it: %s", message_id, error)
            except Unreachable as error:
                fault = error
                self._silent.add(channel_id)
                continue
            await self._retention.forget_message(message_id)
        if fault is not None:
            raise fault
