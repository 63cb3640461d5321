"""Stores the settings of servers and channels, as far as they differ from the defaults."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.guilds import GuildSettings
from bot.domain.rules import Outcome
from bot.errors import UserError
from bot.store.audit import AuditRepository
from bot.store.database import Database, Row
from bot.texts import settings as texts
from bot.texts.codes import Code
from bot.texts.reasons import because

_WHOLE_GUILD = 0
_SHAPE = TypeAdapter(GuildSettings)
NAMES = frozenset(field.name for field in fields(GuildSettings))
BOUNDS: dict[str, tuple[float, float]] = {
    "min_member_days": (0, 365),
    "review_newcomer_days": (0, 365),
    "review_hours": (1, 14 * 24),
    "nsfw_threshold": (0.05, 0.95),
    "reports_to_hide": (1, 100),
    "strikes_to_suspend": (1, 20),
    "strike_days": (1, 365),
    "suspension_days": (1, 365),
    "retention_days": (1, 730),
    "max_rounds": (1, 25),
    "round_vote_minutes": (1, 1440),
}
QUOTA_BOUNDS: dict[str, tuple[float, float]] = {
    "max_cost_per_day": (0, 10_000),
    "max_waiting": (0, 100),
    "weight": (0.1, 10),
}
MAX_IDS = 25  # the most roles or channels in a list, and the most roles with a quota
MAX_APPEAL_LINE = 300  # the most characters in the appeal text
CHANNEL_NAMES = frozenset({"picture_action", "nsfw_threshold", "review_everything"})
"""The settings that a channel may have of its own."""


class SettingsRepository:
    """Reads and changes settings. A channel's own values take precedence over its guild's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._audit = AuditRepository(database)
        self.transaction = database.transaction

    async def fetch(
        self, guild_id: int | None, channel_id: int | None = None, parent_id: int | None = None
    ) -> GuildSettings:
        """Return a channel's settings; defaults in DMs. parent_id: the channel of a thread."""
        if guild_id is None:
            return GuildSettings()
        # The guild first, then the parent, then the channel itself: the last one wins.
        scopes = [scope for scope in (_WHOLE_GUILD, parent_id, channel_id) if scope is not None]
        rows = await self._database.fetch_all(
            "SELECT channel_id, name, value FROM setting "
            "WHERE guild_id = ? AND channel_id IN (?, ?, ?)",
            (guild_id, _WHOLE_GUILD, parent_id, channel_id),
        )
        rows.sort(key=lambda row: scopes.index(row["channel_id"]))
        return parse_settings(_parse_values(rows))

    async def fetch_scope(self, guild_id: int, channel_id: int = _WHOLE_GUILD) -> dict[str, Any]:
        """Return only what was set for exactly this channel, or for the whole guild."""
        rows = await self._database.fetch_all(
            "SELECT name, value FROM setting WHERE guild_id = ? AND channel_id = ?",
            (guild_id, channel_id),
        )
        return _parse_values(rows)

    async def put(
        self, guild_id: int, name: str, value: Any, channel_id: int = _WHOLE_GUILD
    ) -> tuple[Any, Any]:
        """Save a value; None removes it. Return the old and the new value, as in JSON.

        Raises UserError for a value that the setting cannot have.
        """
        if name not in NAMES:
            raise UserError(texts.UNKNOWN(name=name))
        async with self.transaction():
            old = (await self.fetch_scope(guild_id, channel_id)).get(name)
            if value is None:
                await self._database.execute(
                    "DELETE FROM setting WHERE guild_id = ? AND channel_id = ? AND name = ?",
                    (guild_id, channel_id, name),
                )
                return old, None
            new = asdict(parse_settings({name: value}))[name]
            _check_bounds(name, new)
            await self._database.execute(
                "INSERT INTO setting VALUES (?, ?, ?, ?) ON CONFLICT (guild_id, channel_id, name) "
                "DO UPDATE SET value = excluded.value",
                (guild_id, channel_id, name, json.dumps(new)),
            )
            return old, json.loads(json.dumps(new))

    async def change(
        self,
        guild_id: int,
        name: str,
        value: Any,
        *,
        actor_id: int,
        now: float,
        channel_id: int = _WHOLE_GUILD,
        action: AuditAction = AuditAction.SETTING_CHANGED,
    ) -> bool:
        """Save a setting and log it. Return whether anything changed. Raises UserError."""
        async with self.transaction():
            old, new = await self.put(guild_id, name, value, channel_id)
            if old == new:
                return False
            what = because(Code.SETTING, name=name)
            if channel_id:
                what = because(Code.SETTING_OF_CHANNEL, name=name, channel_id=channel_id)
            await self._audit.add(
                AuditEntry(
                    action,
                    now,
                    guild_id=guild_id,
                    actor_id=actor_id,
                    reason=what,
                    old_value=_render(old),
                    new_value=_render(new),
                )
            )
        return True

    async def list_guilds_with(self, name: str) -> list[int]:
        """Return the guilds that have set this setting."""
        rows = await self._database.fetch_all(
            "SELECT guild_id FROM setting WHERE name = ? AND channel_id = ?", (name, _WHOLE_GUILD)
        )
        return [row["guild_id"] for row in rows]

    async def list_channels(self, guild_id: int) -> list[int]:
        """List the channels that have values of their own."""
        rows = await self._database.fetch_all(
            "SELECT DISTINCT channel_id FROM setting WHERE guild_id = ? AND channel_id <> ? "
            "ORDER BY channel_id",
            (guild_id, _WHOLE_GUILD),
        )
        return [row["channel_id"] for row in rows]


def _render(value: Any) -> str:
    return "" if value is None else json.dumps(value)


def _check_bounds(name: str, value: Any) -> None:
    """Check a value's bounds. value: as in JSON."""
    if name == "picture_action" and value == Outcome.ALLOW:
        raise UserError(texts.NEVER_SHOWN())
    if name == "appeal_line" and len(value) > MAX_APPEAL_LINE:
        raise UserError(texts.LINE_TOO_LONG(count=MAX_APPEAL_LINE))
    if isinstance(value, tuple | list) and len(value) > MAX_IDS:
        raise UserError(texts.TOO_MANY(count=MAX_IDS))
    numbers: list[tuple[str, Any]] = [(name, value)]
    if name == "role_quotas":
        numbers = [item for each in value for item in each.items()]
    for key, number in numbers:
        bounds = (BOUNDS | QUOTA_BOUNDS).get(key)
        # written as "not (… <= …)" because that also refuses NaN
        if bounds is not None and number is not None and not bounds[0] <= number <= bounds[1]:
            low, high = bounds
            text = texts.TOO_SMALL if number < low else texts.TOO_LARGE
            name_of_it = (texts.NAMES | texts.QUOTA_NAMES)[key]()
            raise UserError(text(number=number, name=name_of_it, low=low, high=high))


def _parse_values(rows: list[Row]) -> dict[str, Any]:
    return {row["name"]: json.loads(row["value"]) for row in rows if row["name"] in NAMES}


def parse_settings(values: dict[str, Any]) -> GuildSettings:
    """Make settings from these values. Raises UserError for a value that a setting cannot have."""
    try:
        return _SHAPE.validate_python(values)
    except ValidationError as error:
        found = [str(fault["loc"][0]) for fault in error.errors() if fault["loc"]]
        names = ", ".join(texts.NAMES[name]() for name in found if name in texts.NAMES)
        raise UserError(texts.DOES_NOT_FIT(names=names)) from None
