"""Reads and writes rows of the round table, and the votes for its pictures.

Every ``mark_…`` changes a round only if it is in one of the states in its WHERE clause, and returns
the changed round. Otherwise it returns None, because something else changed the round first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from bot.domain.jobs import Origin
from bot.domain.recipes import StartPicture
from bot.domain.rounds import PANELS, Choosing, Round, RoundAsk, RoundStatus
from bot.store.database import Database, Row
from bot.store.rows import compose_next_id, format_reason, parse_reason
from bot.texts.reasons import Reason

_NEXT_ID = compose_next_id("round", "round_id")
_RUNNING = "status IN ('open', 'asking', 'drawing', 'voting')"
_NAMES = [each.name for each in fields(Round) if each.name != "reason"]
MAX_ANCESTORS = 50


class RoundRepository:
    """Stores rounds, their states, and the votes for their pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def insert(
        self,
        ask: RoundAsk,
        origin: Origin,
        *,
        now: float,
        is_anonymous: bool,
        model: str | None = None,
        start: StartPicture | None = None,
    ) -> Round | None:
        """Open a round. None if its channel has one, or if this interaction has opened one."""
        values = {
            "interaction_id": origin.interaction_id,
            "guild_id": origin.guild_id,
            "channel_id": origin.channel_id,
            "parent_channel_id": origin.parent_channel_id,
            "age_restricted": origin.age_restricted,
            "guild_locale": origin.guild_locale,
            "starter_id": origin.user_id,
            "theme": ask.theme,
            "style": ask.style or "",
            "model": model,
            "width": ask.width,
            "height": ask.height,
            "phrases_each": ask.phrases_each,
            "choosing": ask.choosing,
            "is_anonymous": is_anonymous,
            "previous_id": ask.previous,
            "start": None if start is None else json.dumps(asdict(start)),
            "opened_at": now,
            "closes_at": now + ask.minutes * 60.0,
        }
        return await self._fetch_one(
            f"INSERT INTO round (round_id, {', '.join(values)}) "  # noqa: S608 - our own names
            f"VALUES ({_NEXT_ID}, {', '.join('?' * len(values))}) ON CONFLICT DO NOTHING "
            "RETURNING *",
            *values.values(),
        )

    async def fetch(self, round_id: int) -> Round | None:
        """Return the round, or None."""
        return await self._fetch_one("SELECT * FROM round WHERE round_id = ?", round_id)

    async def fetch_by_job(self, job_id: int) -> Round | None:
        """Return the round that a job was drawn for, or None."""
        return await self._fetch_one("SELECT * FROM round WHERE job_id = ?", job_id)

    async def fetch_running(self, channel_id: int) -> Round | None:
        """Return the round of a channel that is not over, or None."""
        return await self._fetch_one(
            f"SELECT * FROM round WHERE channel_id = ? AND {_RUNNING}",  # noqa: S608
            channel_id,
        )

    async def count_running(self, guild_id: int) -> int:
        """Return how many rounds of a server are not over."""
        query = f"SELECT count(*) FROM round WHERE guild_id = ? AND {_RUNNING}"  # noqa: S608
        row = await self._database.fetch_one(query, (guild_id,))
        return 0 if row is None else row[0]

    async def list_running(self) -> list[Round]:
        """List the rounds that are not over, oldest first."""
        query = f"SELECT * FROM round WHERE {_RUNNING} ORDER BY round_id"  # noqa: S608
        return await self._fetch_all(query)

    async def list_over_not_shown(self) -> list[Round]:
        """List rounds that are over and whose message may not show that yet."""
        return await self._fetch_all("SELECT * FROM round WHERE end_shown = 0 ORDER BY round_id")

    async def list_cancelled_too_little(self) -> list[Round]:
        """List cancelled rounds whose job goes on, because the bot stopped before it ended it."""
        return await self._fetch_all(
            "SELECT round.* FROM round JOIN job USING (job_id) WHERE end_shown = 0 "
            "AND round.status = 'cancelled' AND job.ended_at IS NULL ORDER BY round_id"
        )

    async def list_to_post(self) -> list[Round]:
        """List rounds whose winner still has to be posted, in its channel or in the showcase."""
        return await self._fetch_all(
            "SELECT * FROM round WHERE winner IS NOT NULL "
            "AND (winner_message_id IS NULL OR showcase_message_id IS NULL) ORDER BY round_id"
        )

    async def list_shown_too_long(self) -> list[Round]:
        """List rounds whose winner is still posted, although nobody may see it any more."""
        return await self._fetch_all(
            "SELECT round.* FROM round JOIN job USING (job_id) "
            "WHERE (winner_message_id > 0 OR showcase_message_id > 0) "
            "AND (job.hidden = 1 OR job.deleted_by > 0) ORDER BY round_id"
        )

    async def list_history(self, guild_id: int, *, before: int | None, limit: int) -> list[Round]:
        """List a server's rounds with a winner, newest first."""
        return await self._fetch_all(
            "SELECT * FROM round WHERE guild_id = ? AND round_id < ? AND winner IS NOT NULL "
            "ORDER BY round_id DESC LIMIT ?",
            guild_id,
            2**63 - 1 if before is None else before,
            limit,
        )

    async def list_ancestors(self, round_: Round) -> list[Round]:
        """List the rounds that led to the start picture of this one, the oldest first."""
        return await self._fetch_all(
            "WITH RECURSIVE behind (round_id, generation) AS (VALUES (?, 1) UNION ALL "
            "SELECT previous_id, generation + 1 FROM behind JOIN round USING (round_id) "
            "WHERE previous_id IS NOT NULL AND generation < ?) "
            "SELECT round.* FROM round JOIN behind USING (round_id) ORDER BY generation DESC",
            round_.previous_id,
            MAX_ANCESTORS,
        )

    async def mark_posted(self, round_id: int, message_id: int) -> None:
        """Remember the round's message, unless it has one."""
        await self._database.execute(
            "UPDATE round SET message_id = ? WHERE round_id = ? AND message_id IS NULL",
            (message_id, round_id),
        )

    async def mark_due(self, round_id: int, now: float) -> Round | None:
        """Take no more phrases from now on."""
        return await self._fetch_one(
            "UPDATE round SET closes_at = min(closes_at, ?) WHERE round_id = ? "
            "AND status = 'open' RETURNING *",
            now,
            round_id,
        )

    async def mark_asking(self, round_id: int, asks_until: float) -> Round | None:
        """Move a round from open to asking."""
        leaving = (RoundStatus.OPEN,)
        return await self._change(round_id, leaving, RoundStatus.ASKING, asks_until=asks_until)

    async def mark_asked(self, round_id: int, now: float) -> bool:
        """Record that the starter was asked. False if that was already recorded."""
        row = await self._database.fetch_one(
            "UPDATE round SET asked_at = ? WHERE round_id = ? AND status = 'asking' "
            "AND asked_at IS NULL RETURNING round_id",
            (now, round_id),
        )
        return row is not None

    async def mark_confirmed(self, round_id: int) -> Round | None:
        """Record that a round in asking is to be drawn, although too few people took part."""
        return await self._fetch_one(
            "UPDATE round SET is_confirmed = 1 WHERE round_id = ? AND status = 'asking' "
            "RETURNING *",
            round_id,
        )

    async def mark_drawing(self, round_id: int, job_id: int, leaving: RoundStatus) -> Round | None:
        """Move a round from open or asking to drawing."""
        return await self._change(round_id, (leaving,), RoundStatus.DRAWING, job_id=job_id)

    async def mark_voting(
        self, round_id: int, votes_until: float, message_id: int | None
    ) -> Round | None:
        """Move a round from drawing to voting. message_id: the message that shows the pictures."""
        leaving = (RoundStatus.DRAWING,)
        columns: dict[str, Any] = {"votes_until": votes_until}
        if message_id is not None:
            columns["message_id"] = message_id
        return await self._change(round_id, leaving, RoundStatus.VOTING, **columns)

    async def mark_won(
        self,
        round_id: int,
        winner: int,
        *,
        tally: Sequence[int],
        lot_seed: int | None,
        showcase_channel_id: int | None,
        now: float,
    ) -> Round | None:
        """Move a round from voting to ended, with its winner."""
        return await self._change(
            round_id,
            (RoundStatus.VOTING,),
            RoundStatus.ENDED,
            winner=winner,
            tally=json.dumps(list(tally)),
            lot_seed=lot_seed,
            showcase_channel_id=showcase_channel_id,
            showcase_message_id=None if showcase_channel_id else 0,
            ended_at=now,
            end_shown=False,
        )

    async def mark_over(
        self,
        round_id: int,
        status: RoundStatus,
        *,
        reason: Reason,
        now: float,
        leaving: Sequence[RoundStatus],
    ) -> Round | None:
        """End a round without a winner."""
        why = format_reason("reason", reason)
        return await self._change(round_id, leaving, status, ended_at=now, end_shown=False, **why)

    async def mark_end_shown(self, round_id: int) -> None:
        """Record that the round's message shows how it ended."""
        await self._database.execute(
            "UPDATE round SET end_shown = 1 WHERE round_id = ?", (round_id,)
        )

    async def mark_announced(self, round_id: int, message_id: int) -> None:
        """Remember the message with the winner; 0 if there is none."""
        await self._database.execute(
            "UPDATE round SET winner_message_id = ? WHERE round_id = ?", (message_id, round_id)
        )

    async def mark_shown_off(self, round_id: int, message_id: int) -> None:
        """Remember the message in the showcase; 0 if there is none."""
        await self._database.execute(
            "UPDATE round SET showcase_message_id = ? WHERE round_id = ?", (message_id, round_id)
        )

    async def put_vote(self, round_id: int, user_id: int, panel: int, now: float) -> bool:
        """Save a member's vote, in place of an earlier one. False if the vote is not open."""
        row = await self._database.fetch_one(
            "INSERT INTO picture_vote SELECT round_id, ?, ? FROM round WHERE round_id = ? "
            "AND status = 'voting' AND votes_until > ? "
            "ON CONFLICT (round_id, user_id) DO UPDATE SET panel = excluded.panel "
            "RETURNING round_id",
            (user_id, panel, round_id, now),
        )
        return row is not None

    async def fetch_vote(self, round_id: int, user_id: int) -> int | None:
        """Return the picture that a member votes for, or None."""
        row = await self._database.fetch_one(
            "SELECT panel FROM picture_vote WHERE round_id = ? AND user_id = ?",
            (round_id, user_id),
        )
        return None if row is None else row["panel"]

    async def count_votes(self, round_id: int) -> tuple[int, ...]:
        """Return the votes for each panel."""
        rows = await self._database.fetch_all(
            "SELECT panel, count(*) AS votes FROM picture_vote WHERE round_id = ? GROUP BY panel",
            (round_id,),
        )
        counts = {row["panel"]: row["votes"] for row in rows}
        return tuple(counts.get(panel, 0) for panel in PANELS)

    async def _change(
        self, round_id: int, leaving: Sequence[RoundStatus], status: RoundStatus, **columns: Any
    ) -> Round | None:
        columns = {"status": status, **columns}
        assignments = ", ".join(f"{name} = ?" for name in columns)
        marks = ", ".join("?" * len(leaving))
        return await self._fetch_one(
            f"UPDATE round SET {assignments} "  # noqa: S608 - our own column names
            f"WHERE round_id = ? AND status IN ({marks}) RETURNING *",
            *columns.values(),
            round_id,
            *leaving,
        )

    async def _fetch_one(self, sql: str, *values: Any) -> Round | None:
        row = await self._database.fetch_one(sql, values)
        return None if row is None else parse_round(row)

    async def _fetch_all(self, sql: str, *values: Any) -> list[Round]:
        return [parse_round(row) for row in await self._database.fetch_all(sql, values)]


def parse_round(row: Row) -> Round:
    """Make a round from its row."""
    values: dict[str, Any] = {name: row[name] for name in _NAMES}
    start = values["start"]
    return Round(
        **values
        | {
            "status": RoundStatus(row["status"]),
            "choosing": Choosing(row["choosing"]),
            "is_anonymous": bool(row["is_anonymous"]),
            "age_restricted": bool(row["age_restricted"]),
            "end_shown": bool(row["end_shown"]),
            "is_confirmed": bool(row["is_confirmed"]),
            "start": None if start is None else StartPicture(**json.loads(start)),
            "tally": tuple(json.loads(row["tally"])),
            "reason": parse_reason("reason", row),
        }
    )
