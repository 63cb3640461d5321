"""What servers have set, per server and per channel; only what differs from the defaults."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.errors import UserError
from bot.records import GuildSettings
from bot.store.database import Database

_WHOLE_GUILD = 0
_SHAPE = TypeAdapter(GuildSettings)
NAMES = frozenset(field.name for field in fields(GuildSettings))


class SettingsRepository:
    """Settings of guilds; a channel's own values go before those of its guild."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def fetch(
        self, guild_id: int | None, channel_id: int | None = None, parent_id: int | None = None
    ) -> GuildSettings:
        """What holds in this channel; parent_id is the channel of a thread. Defaults in DMs."""
        if guild_id is None:
            return GuildSettings()
        # The guild first, then the parent, then the channel itself: the last one wins.
        scopes = (_WHOLE_GUILD, parent_id, channel_id)
        values: dict[str, Any] = {}
        for scope in scopes:
            if scope is not None:
                values |= await self.fetch_scope(guild_id, scope)
        return parse_settings(values)

    async def fetch_scope(self, guild_id: int, channel_id: int = _WHOLE_GUILD) -> dict[str, Any]:
        """Only what was set for exactly this channel, or for the whole guild."""
        rows = await self._database.fetch_all(
            "SELECT name, value FROM setting WHERE guild_id = ? AND channel_id = ?",
            (guild_id, channel_id),
        )
        return {row["name"]: json.loads(row["value"]) for row in rows if row["name"] in NAMES}

    async def put(
        self, guild_id: int, name: str, value: Any, channel_id: int = _WHOLE_GUILD
    ) -> tuple[Any, Any]:
        """Keep a value, or drop it for None: the old value and the new one, as JSON holds them.

        Raises UserError for a value that the setting cannot have.
        """
        if name not in NAMES:
            raise UserError(f"“{name}” is no setting. Nothing was changed.")
        async with self.transaction():
            old = (await self.fetch_scope(guild_id, channel_id)).get(name)
            if value is None:
                await self._database.execute(
                    "DELETE FROM setting WHERE guild_id = ? AND channel_id = ? AND name = ?",
                    (guild_id, channel_id, name),
                )
                return old, None
            new = asdict(parse_settings({name: value}))[name]
            await self._database.execute(
                "INSERT INTO setting VALUES (?, ?, ?, ?) ON CONFLICT (guild_id, channel_id, name) "
                "DO UPDATE SET value = excluded.value",
                (guild_id, channel_id, name, json.dumps(new)),
            )
            return old, json.loads(json.dumps(new))


def parse_settings(values: dict[str, Any]) -> GuildSettings:
    """Raises UserError for a value that its setting cannot have."""
    try:
        return _SHAPE.validate_python(values)
    except ValidationError as error:
        names = ", ".join(str(fault["loc"][0]) for fault in error.errors() if fault["loc"])
        raise UserError(f"That value does not fit ({names}). Nothing was changed.") from None
