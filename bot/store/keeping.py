"""How long the words and pictures of members are kept: blanked when their time is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.records import Job
from bot.store.database import Database
from bot.store.rows import parse_job

_ENDED = (
    "status IN ('delivered', 'refused', 'failed', 'cancelled', 'expired', 'undeliverable') "
    "AND interaction_id IS NOT NULL"  # what the owner drew in the terminal is theirs
)


class KeepingRepository:
    """Jobs that ended, and whose words they hold."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def list_of_member(self, user_id: int) -> list[Job]:
        """All of a member's prompts on Discord, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE user_id = ? AND interaction_id IS NOT NULL ORDER BY job_id",
            (user_id,),
        )
        return [parse_job(row) for row in rows]

    async def list_guilds_before(self, moment: float) -> list[int | None]:
        """Where words older than this are on record."""
        rows = await self._database.fetch_all(
            f"SELECT DISTINCT guild_id FROM job WHERE {_ENDED} "  # noqa: S608 - own condition
            "AND prompt <> '' AND accepted_at < ?",
            (moment,),
        )
        return [row["guild_id"] for row in rows]

    async def list_before(self, guild_id: int | None, moment: float) -> list[int]:
        """Jobs of a guild with words older than this."""
        rows = await self._database.fetch_all(
            f"SELECT job_id FROM job WHERE {_ENDED} "  # noqa: S608 - own condition
            "AND guild_id IS ? AND prompt <> '' AND accepted_at < ?",
            (guild_id, moment),
        )
        return [row["job_id"] for row in rows]

    async def blank(self, job_ids: Sequence[int]) -> None:
        """Words and pictures go, and what could name them; ids and costs stay."""
        async with self.transaction():
            ids = [(job_id,) for job_id in job_ids]
            await self._database.execute_many(
                "UPDATE job SET prompt = '', negative_prompt = '', cut_words = '', "  # noqa: S608
                f"reason = '', held_for = '', token = NULL, told = 1 WHERE job_id = ? AND {_ENDED}",
                ids,
            )
            for table in ("picture", "held_picture"):
                await self._database.execute_many(
                    f"DELETE FROM {table} WHERE job_id = ?",  # noqa: S608 - own names
                    ids,
                )

    async def blank_words_of(self, user_id: int) -> None:
        """What a member wrote to moderators; that they wrote stays."""
        async with self.transaction():
            await self._database.execute(
                "UPDATE report SET reason = '' WHERE reporter_id = ?", (user_id,)
            )
            await self._database.execute(
                "UPDATE suspension SET appeal = '' WHERE member_id = ?", (user_id,)
            )

    async def blank_words_before(self, guild_id: int | None, moment: float) -> None:
        """The same, of everybody in a guild."""
        async with self.transaction():
            await self._database.execute(
                "UPDATE report SET reason = '' WHERE guild_id = ? AND at < ?", (guild_id, moment)
            )
            await self._database.execute(
                "UPDATE suspension SET appeal = '' WHERE guild_id = ? AND appealed_at < ?",
                (guild_id, moment),
            )

    async def list_consequences(self, user_id: int) -> dict[str, list[dict[str, Any]]]:
        """A member's strikes, suspensions and reports, as they stand on record."""
        queries = {
            "strikes": "SELECT guild_id, job_id, reason, given_at, lapses_at, removed_at "
            "FROM strike WHERE member_id = ? ORDER BY strike_id",
            "suspensions": "SELECT guild_id, reason, given_at, ends_at, appeal, appealed_at, "
            "lifted_at FROM suspension WHERE member_id = ? ORDER BY suspension_id",
            "reports": "SELECT guild_id, job_id, reason, at FROM report WHERE reporter_id = ? "
            "ORDER BY report_id",
        }
        found: dict[str, list[dict[str, Any]]] = {}
        for name, query in queries.items():
            found[name] = [dict(row) for row in await self._database.fetch_all(query, (user_id,))]
        return found

    async def mark_to_forget(self, user_id: int, after_seconds: float) -> None:
        """So long after they were accepted a member's rows shall forget whose they were."""
        await self._database.execute(
            f"UPDATE job SET forget_after = accepted_at + ? WHERE user_id = ? AND {_ENDED}",  # noqa: S608
            (after_seconds, user_id),
        )

    async def forget_members(self, now: float) -> None:
        """What remains of these rows is a cost at a time in a guild."""
        await self._database.execute(
            "UPDATE job SET user_id = 0, interaction_id = NULL, channel_id = NULL, "
            "parent_channel_id = NULL, message_id = NULL, forget_after = NULL "
            "WHERE forget_after < ?",
            (now,),
        )
