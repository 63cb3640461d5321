"""The audit log: who decided what, and by which rule. The database refuses to change its rows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.rules import MINORS
from bot.store.database import Database, Row
from bot.store.rows import format_reason, parse_reason
from bot.texts.codes import Code

_COLUMNS = (
    "action",
    "at",
    "guild_id",
    "actor_id",
    "member_id",
    "job_id",
    "rule",
    "rules_version",
    "prompt",
    "prompt_hash",
    "old_value",
    "new_value",
)
_IS_SEALED = (
    "(rule = ? OR EXISTS (SELECT 1 FROM job WHERE job.job_id = audit.job_id AND job.rule = ?)) "
    "AS is_sealed"
)


class AuditRepository:
    """Adds and finds rows of the audit log. Only retention deletes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def add(self, entry: AuditEntry) -> AuditEntry:
        """Add a row with the hash of its prompt, in the caller's transaction."""
        digest = hashlib.sha256(entry.prompt.encode()).hexdigest() if entry.prompt else ""
        values = {name: getattr(entry, name) for name in _COLUMNS} | {"prompt_hash": digest}
        values |= format_reason("reason", entry.reason)
        row = await self._database.fetch_one(
            f"INSERT INTO audit ({', '.join(values)}) "  # noqa: S608 - our own column names
            f"VALUES ({', '.join('?' * len(values))}) RETURNING *",
            tuple(values.values()),
        )
        assert row is not None
        return _parse(row)

    async def search(
        self,
        guild_id: int | None,
        *,
        member_id: int | None = None,
        actor_id: int | None = None,
        rule: str | None = None,
        actions: Sequence[AuditAction] = (),
        since: float = 0.0,
        after_entry: int = 0,
        before_entry: int | None = None,
        limit: int = 100,
        newest_first: bool = True,
    ) -> list[AuditEntry]:
        """List the rows of one guild (None: direct messages) that match every given filter.

        Rows about a sealed prompt come without any words.
        """
        wanted: dict[str, Any] = {
            "guild_id IS ?": guild_id,
            "at >= ?": since,
            "entry_id > ?": after_entry,
        }
        if before_entry is not None:
            wanted["entry_id < ?"] = before_entry
        if member_id is not None:
            wanted["member_id = ?"] = member_id
        if actor_id is not None:
            wanted["actor_id = ?"] = actor_id
        if rule is not None:
            wanted["rule = ?"] = rule
        conditions = list(wanted)
        if actions:
            conditions.append(f"action IN ({', '.join('?' * len(actions))})")
        order = "DESC" if newest_first else "ASC"
        rows = await self._database.fetch_all_apart(
            f"SELECT *, {_IS_SEALED} FROM audit "  # noqa: S608 - own conditions
            f"WHERE {' AND '.join(conditions)} ORDER BY entry_id {order} LIMIT ?",
            (MINORS, MINORS, *wanted.values(), *actions, limit),
        )
        entries = zip(await _parse_all(rows), rows, strict=True)
        return [entry.seal() if row["is_sealed"] else entry for entry, row in entries]

    async def fetch_first_set(self, guild_id: int, name: str) -> int | None:
        """Return the id of the row that says when this setting was last switched on, or None."""
        row = await self._database.fetch_one(
            "SELECT max(entry_id) AS entry_id FROM audit "
            "WHERE guild_id = ? AND action = ? AND old_value = '' "
            "AND reason_code = ? AND json_extract(reason_params, '$.name') = ?",
            (guild_id, AuditAction.SETTING_CHANGED, Code.SETTING, name),
        )
        return row["entry_id"] if row else None

    async def list_about(self, member_id: int) -> list[AuditEntry]:
        """List all rows about a member, in every guild, oldest first."""
        rows = await self._database.fetch_all_apart(
            "SELECT * FROM audit WHERE member_id = ? ORDER BY entry_id", (member_id,)
        )
        return await _parse_all(rows)

    async def list_guilds_before(self, moment: float) -> list[int | None]:
        """Return the guilds that have rows older than ``moment``."""
        rows = await self._database.fetch_all(
            "SELECT DISTINCT guild_id FROM audit WHERE at < ?", (moment,)
        )
        return [row["guild_id"] for row in rows]

    async def forget_before(self, guild_id: int | None, moment: float) -> int:
        """Delete the rows of this guild that are older than ``moment``; returns how many."""
        async with self.transaction():
            await self._database.execute(
                "INSERT INTO audit_retention VALUES (?, ?) ON CONFLICT (guild_id) "
                "DO UPDATE SET kept_since = max(kept_since, excluded.kept_since)",
                (guild_id or 0, moment),
            )
            gone = await self._database.fetch_all(
                "DELETE FROM audit WHERE guild_id IS ? AND at < ? RETURNING entry_id",
                (guild_id, moment),
            )
        return len(gone)


async def _parse_all(rows: Sequence[Row]) -> list[AuditEntry]:
    """Parse rows in a thread, because an export has up to 100,000 of them."""
    return await asyncio.to_thread(lambda: [*map(_parse, rows)])


def _parse(row: Row) -> AuditEntry:
    values = {name: row[name] for name in _COLUMNS}
    values["action"] = AuditAction(row["action"])
    return AuditEntry(**values, reason=parse_reason("reason", row), entry_id=row["entry_id"])
