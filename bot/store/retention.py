"""Erases members' words and pictures when the time to keep them is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from typing import Any

from bot.domain.jobs import Job
from bot.domain.pictures import PictureFile
from bot.store.database import Database, Row
from bot.store.personal_data import ENDED, PERSONAL, PersonalData
from bot.store.rows import compose_next_id, parse_job, parse_picture, parse_reason
from bot.texts.reasons import describe

_BLANK_JOB = ", ".join(f"{each.column} = {each.blank}" for each in PERSONAL["job"].words)
_OF_MEMBER = "user_id = ? AND source <> 'terminal'"
_FORGET_JOB = ", ".join(f"{column} = {value}" for column, value in PERSONAL["job"].people.items())
_NUMBERED = {"card": "card_id", "round": "round_id", "phrase": "phrase_id"}
_NUMBER = [
    f"INSERT INTO meta SELECT 'last_{column}', {compose_next_id(table, column)} - 1 WHERE true "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    for table, column in _NUMBERED.items()
]
_HAS_MEMBER = (  # only the job of a round has words without a member
    "(user_id <> 0 OR source = 'round' AND json_extract(recipe, '$.prompt') <> '')"
)
_IN_DECISION = (
    "EXISTS (SELECT 1 FROM card WHERE card.job_id = job.job_id AND settled_at IS NULL "
    "AND opened_at >= ?)"
)


class RetentionRepository:
    """Erases words, removes members from rows, and deletes rows, as ``PERSONAL`` lists them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction
        self.take_out_deleted = database.take_out_deleted

    async def list_of_member(self, user_id: int) -> list[Job]:
        """List all of a member's prompts on Discord, oldest first. There may be many thousands."""
        rows = await self._database.fetch_all_apart(
            f"SELECT * FROM job WHERE {_OF_MEMBER} ORDER BY job_id",  # noqa: S608 - our own
            (user_id,),
        )
        return await asyncio.to_thread(lambda: [*map(parse_job, rows)])

    async def list_pictures_of_member(self, user_id: int) -> dict[int, list[PictureFile]]:
        """Return the picture files of a member's prompts on Discord by job id, grids first."""
        rows = await self._database.fetch_all_apart(
            "SELECT picture.* FROM job JOIN picture USING (job_id) "  # noqa: S608 - our own
            f"WHERE {_OF_MEMBER} ORDER BY job_id, panel",
            (user_id,),
        )
        found: dict[int, list[PictureFile]] = {}
        for row in rows:
            found.setdefault(row["job_id"], []).append(parse_picture(row))
        return found

    async def list_guilds_before(self, moment: float) -> list[int | None]:
        """List the guilds with members' data on record. Prompts after ``moment`` do not count."""
        others = [f"SELECT guild_id FROM {table}" for table, kept in PERSONAL.items() if kept.over]  # noqa: S608
        jobs = f"SELECT guild_id FROM job WHERE {ENDED} AND {_HAS_MEMBER} AND accepted_at < ?"  # noqa: S608
        rows = await self._database.fetch_all(" UNION ".join([*others, jobs]), (moment,))
        return [row["guild_id"] for row in rows]

    async def list_before(self, guild_id: int | None, moment: float) -> list[int]:
        """List a guild's jobs from before ``moment`` from which something can be erased.

        They have words, or a member who can be removed.
        """
        rows = await self._database.fetch_all(
            f"SELECT job_id FROM job WHERE {ENDED} AND guild_id IS ? AND {_HAS_MEMBER} "  # noqa: S608
            "AND accepted_at < ? "
            f"AND (json_extract(recipe, '$.prompt') <> '' OR NOT {_IN_DECISION})",
            (guild_id, moment, moment),
        )
        return [row["job_id"] for row in rows]

    async def blank(self, job_ids: Sequence[int]) -> None:
        """Erase the words and pictures of these jobs, but not their ids and costs."""
        async with self.transaction():
            ids = [(job_id,) for job_id in job_ids]
            await self._database.execute_many(
                f"UPDATE job SET {_BLANK_JOB}, end_notified = 1 WHERE job_id = ? AND {ENDED}",  # noqa: S608
                ids,
            )
            for table in ("picture", "held_picture"):
                await self._database.execute_many(
                    f"DELETE FROM {table} WHERE job_id = ?",  # noqa: S608 - own names
                    ids,
                )

    async def blank_words_of(self, user_id: int) -> None:
        """Erase what a member wrote to moderators, and all copies. The rows stay, without words."""
        async with self.transaction():
            for table, kept in _list_others():
                for words in kept.words:
                    await self._database.execute(
                        f"UPDATE {table} SET {words.column} = {words.blank} "  # noqa: S608
                        f"WHERE {words.by} = ? AND {words.only} "
                        f"AND {words.column} <> {words.blank}",
                        (user_id,),
                    )

    async def end_words(self, guild_id: int | None, moment: float) -> None:
        """Erase what members wrote before this moment, in rows that are kept."""
        async with self.transaction():
            for table, kept in _list_others():
                for words in kept.words if kept.over else ():
                    await self._database.execute(
                        f"UPDATE {table} SET {words.column} = {words.blank} "  # noqa: S608
                        f"WHERE guild_id = ? AND {words.at} < ? AND {words.only}",
                        (guild_id, moment),
                    )

    async def end_rows(self, guild_id: int | None, moment: float, now: float) -> dict[str, int]:
        """Delete the rows of a guild whose time is over. Return how many, by table.

        The number of a card, round or phrase is not used again, because its message may still be
        there, with buttons.
        """
        gone: dict[str, int] = {}
        names = {"guild_id": guild_id, "moment": moment, "now": now}
        async with self.transaction():
            for statement in _NUMBER:
                await self._database.execute(statement)
            for table, kept in PERSONAL.items():
                if kept.over:
                    query = f"DELETE FROM {table} WHERE {kept.over} RETURNING 1"  # noqa: S608
                    rows = await self._database.fetch_all(query, names)
                    gone[table] = len(rows)
        return gone

    async def list_sanctions(self, user_id: int) -> dict[str, list[dict[str, Any]]]:
        """List a member's strikes, suspensions and reports as they are stored."""
        queries = {
            "strikes": "SELECT guild_id, job_id, reason_code, reason_params, given_at, lapses_at, "
            "removed_at FROM strike WHERE member_id = ? ORDER BY strike_id",
            "suspensions": "SELECT guild_id, reason_code, reason_params, given_at, ends_at, "
            "appeal, appealed_at, lifted_at FROM suspension WHERE member_id = ? "
            "ORDER BY suspension_id",
            "reports": "SELECT guild_id, job_id, reason, at FROM report WHERE reporter_id = ? "
            "ORDER BY report_id",
        }
        found: dict[str, list[dict[str, Any]]] = {}
        for name, query in queries.items():
            rows = await self._database.fetch_all_apart(query, (user_id,))
            found[name] = [_explain(row) for row in rows]
        return found

    async def mark_to_forget(self, user_id: int, after_seconds: float) -> None:
        """Set when a member's id is removed from their jobs and their shares of jobs.

        That is this long after each job was accepted.
        """
        async with self.transaction():
            await self._database.execute(
                f"UPDATE job SET forget_after = accepted_at + ? WHERE user_id = ? AND {ENDED}",  # noqa: S608
                (after_seconds, user_id),
            )
            await self._database.execute(
                "UPDATE job_share SET forget_after = accepted_at + ? FROM job "
                "WHERE job.job_id = job_share.job_id AND job_share.user_id = ?",
                (after_seconds, user_id),
            )

    async def mark_messages_to_delete(self, user_id: int) -> int:
        """Put the messages of a member's prompts on the list to delete. Return how many."""
        rows = await self._database.fetch_all(
            "INSERT OR IGNORE INTO message_to_delete SELECT message_id, channel_id FROM job "  # noqa: S608
            f"WHERE user_id = ? AND {ENDED} AND bot_in_channel AND message_id IS NOT NULL "
            "AND channel_id IS NOT NULL RETURNING 1",
            (user_id,),
        )
        return len(rows)

    async def list_messages_to_delete(
        self, limit: int, left_out: Collection[int]
    ) -> list[tuple[int, int]]:
        """List messages to delete, as channel and message ids: first the newest of each channel.

        left_out: ids of channels whose messages are not listed.
        """
        rows = await self._database.fetch_all(
            "SELECT channel_id, message_id FROM message_to_delete WHERE channel_id NOT IN "
            "(SELECT value FROM json_each(?)) ORDER BY row_number() OVER "
            "(PARTITION BY channel_id ORDER BY message_id DESC), message_id DESC LIMIT ?",
            (json.dumps([*left_out]), limit),
        )
        return [(row["channel_id"], row["message_id"]) for row in rows]

    async def forget_message(self, message_id: int) -> None:
        """Take a message off the list of messages to delete."""
        await self._database.execute(
            "DELETE FROM message_to_delete WHERE message_id = ?", (message_id,)
        )

    async def forget_members(self, now: float) -> None:
        """Remove the member from jobs and shares whose time is over. Guild, time and cost stay."""
        async with self.transaction():
            await self._database.execute(
                f"UPDATE job SET {_FORGET_JOB}, forget_after = NULL WHERE forget_after < ?",  # noqa: S608
                (now,),
            )
            await self._database.execute(
                "UPDATE job_share SET user_id = 0, forget_after = NULL WHERE forget_after < ?",
                (now,),
            )

    async def forget(self, job_ids: Sequence[int], moment: float) -> None:
        """Remove the member, or the members of a round, from these jobs.

        A member's own job keeps them if it has an unsettled card that was opened after ``moment``.
        """
        async with self.transaction():
            await self._database.execute_many(
                f"UPDATE job SET {_FORGET_JOB}, forget_after = NULL "  # noqa: S608 - own columns
                f"WHERE job_id = ? AND {ENDED} AND NOT {_IN_DECISION}",
                [(job_id, moment) for job_id in job_ids],
            )
            await self._database.execute_many(
                "UPDATE job_share SET user_id = 0, forget_after = NULL WHERE job_id = ?",
                [(job_id,) for job_id in job_ids],
            )


def _explain(row: Row) -> dict[str, Any]:
    """Replace a reason's code by its sentence."""
    values = dict(row)
    if values.pop("reason_code", None) is not None:
        del values["reason_params"]
        values["reason"] = describe(parse_reason("reason", row))
    return values


def _list_others() -> list[tuple[str, PersonalData]]:
    """List all tables except job, which ``blank`` handles together with the pictures."""
    return [(table, kept) for table, kept in PERSONAL.items() if table != "job"]
