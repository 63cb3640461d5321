"""Reads and writes rows of the strike and suspension tables."""

from __future__ import annotations

from dataclasses import fields

from bot.domain.review import Strike, Suspension
from bot.store.database import Database, Row
from bot.store.rows import format_reason, parse_reason
from bot.texts.reasons import Reason


class SanctionRepository:
    """Stores strikes and suspensions. Both expire, so callers pass the current time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def add_strike(
        self,
        guild_id: int,
        member_id: int,
        *,
        given_by: int,
        reason: Reason,
        now: float,
        lapses_at: float,
        job_id: int | None = None,
    ) -> Strike:
        """Give a member a strike."""
        why = format_reason("reason", reason)
        row = await self._database.fetch_one(
            "INSERT INTO strike (guild_id, member_id, job_id, reason_code, reason_params, "
            "given_by, given_at, lapses_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
            (guild_id, member_id, job_id, *why.values(), given_by, now, lapses_at),
        )
        assert row is not None
        return _parse_strike(row)

    async def list_strikes(self, guild_id: int, member_id: int, now: float) -> list[Strike]:
        """Return the member's strikes that are active at ``now``, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM strike WHERE guild_id = ? AND member_id = ? "
            "AND lapses_at > ? AND removed_at IS NULL ORDER BY strike_id",
            (guild_id, member_id, now),
        )
        return [_parse_strike(row) for row in rows]

    async def mark_strike_removed(
        self, guild_id: int, member_id: int, strike_id: int, *, now: float
    ) -> Strike | None:
        """Remove a strike; None if the member has no such active strike."""
        row = await self._database.fetch_one(
            "UPDATE strike SET removed_at = ? WHERE guild_id = ? AND member_id = ? "
            "AND strike_id = ? AND lapses_at > ? AND removed_at IS NULL RETURNING *",
            (now, guild_id, member_id, strike_id, now),
        )
        return _parse_strike(row) if row else None

    async def add_suspension(
        self,
        guild_id: int,
        member_id: int,
        *,
        given_by: int,
        reason: Reason,
        now: float,
        ends_at: float,
    ) -> Suspension:
        """Suspend a member: they cannot prompt until it ends."""
        why = format_reason("reason", reason)
        row = await self._database.fetch_one(
            "INSERT INTO suspension "
            "(guild_id, member_id, reason_code, reason_params, given_by, given_at, ends_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
            (guild_id, member_id, *why.values(), given_by, now, ends_at),
        )
        assert row is not None
        return _parse_suspension(row)

    async def fetch_suspension(self, suspension_id: int) -> Suspension | None:
        """Return the suspension with this number, or None."""
        row = await self._database.fetch_one(
            "SELECT * FROM suspension WHERE suspension_id = ?", (suspension_id,)
        )
        return _parse_suspension(row) if row else None

    async def fetch_suspension_of(
        self, guild_id: int, member_id: int, now: float
    ) -> Suspension | None:
        """Return the active suspension of this member that ends last, or None."""
        row = await self._database.fetch_one(
            "SELECT * FROM suspension WHERE guild_id = ? AND member_id = ? "
            "AND ends_at > ? AND lifted_at IS NULL ORDER BY ends_at DESC LIMIT 1",
            (guild_id, member_id, now),
        )
        return _parse_suspension(row) if row else None

    async def mark_lifted(self, suspension_id: int, *, now: float) -> Suspension | None:
        """Lift a suspension; None if it has already ended."""
        row = await self._database.fetch_one(
            "UPDATE suspension SET lifted_at = ? "
            "WHERE suspension_id = ? AND lifted_at IS NULL AND ends_at > ? RETURNING *",
            (now, suspension_id, now),
        )
        return _parse_suspension(row) if row else None

    async def mark_appealed(
        self, suspension_id: int, text: str, *, now: float
    ) -> Suspension | None:
        """Record an appeal; None if the suspension was appealed before."""
        row = await self._database.fetch_one(
            "UPDATE suspension SET appeal = ?, appealed_at = ? "
            "WHERE suspension_id = ? AND appealed_at IS NULL RETURNING *",
            (text, now, suspension_id),
        )
        return _parse_suspension(row) if row else None


def _parse_strike(row: Row) -> Strike:
    return Strike(
        row["strike_id"],
        row["member_id"],
        parse_reason("reason", row),
        row["given_by"],
        row["given_at"],
        row["lapses_at"],
        row["job_id"],
    )


def _parse_suspension(row: Row) -> Suspension:
    values = {field.name: row[field.name] for field in fields(Suspension) if field.name != "reason"}
    return Suspension(**values, reason=parse_reason("reason", row))
