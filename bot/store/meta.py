"""Stores single values, such as the hash of the commands that were last synced."""

from __future__ import annotations

from bot.store.database import Database


class MetaRepository:
    """Keys and values of the meta table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fetch(self, key: str) -> str | None:
        """Return the value kept under ``key``, or None."""
        row = await self._database.fetch_one("SELECT value FROM meta WHERE key = ?", (key,))
        return row["value"] if row else None

    async def put(self, key: str, value: str) -> None:
        """Keep ``value`` under ``key``."""
        await self._database.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )
