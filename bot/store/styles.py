"""Stores the styles that servers have added, changed or removed."""

from __future__ import annotations

from dataclasses import astuple

from bot.domain.recipes import Style
from bot.store.database import Database, Row


class StyleRepository:
    """The rows of the style table, by guild."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def list_of(self, guild_id: int) -> list[Style]:
        """List a guild's own styles, by name."""
        rows = await self._database.fetch_all(
            "SELECT * FROM style WHERE guild_id = ? ORDER BY name", (guild_id,)
        )
        return [_parse(row) for row in rows]

    async def put(self, guild_id: int, style: Style, *, changed_by: int, now: float) -> None:
        """Save a style under its name, and replace an older one."""
        await self._database.execute(
            "INSERT OR REPLACE INTO style VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (guild_id, *astuple(style), changed_by, now),
        )

    async def delete(self, guild_id: int, name: str) -> None:
        """Delete a guild's own style."""
        await self._database.execute(
            "DELETE FROM style WHERE guild_id = ? AND name = ?", (guild_id, name)
        )


def _parse(row: Row) -> Style:
    return Style(
        name=row["name"],
        before=row["before"],
        after=row["after"],
        negative_prompt=row["negative_prompt"],
        sampler=row["sampler"],
        num_inference_steps=row["num_inference_steps"],
        is_removed=bool(row["is_removed"]),
    )
