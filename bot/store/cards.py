"""Reads and writes rows of the card and report tables."""

from __future__ import annotations

from typing import Any

from bot.domain.review import Card, CardKind, Decision, Report
from bot.store.database import Database, Row
from bot.store.rows import compose_next_id

_NEXT_ID = compose_next_id("card", "card_id")


class CardRepository:
    """The cards that moderators decide on, and their decisions. The first decision counts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_for_job(
        self,
        kind: CardKind,
        *,
        guild_id: int,
        member_id: int,
        job_id: int,
        now: float,
        expires_at: float | None = None,
    ) -> Card:
        """Open a card for a job, or return the one that is already open."""
        row = await self._database.fetch_one(
            "INSERT INTO card (card_id, kind, guild_id, member_id, job_id, opened_at, expires_at) "  # noqa: S608
            f"VALUES ({_NEXT_ID}, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (job_id) WHERE decision = '' DO UPDATE SET kind = kind RETURNING *",
            (kind, guild_id, member_id, job_id, now, expires_at),
        )
        assert row is not None
        return _parse_card(row)

    async def open_for_appeal(
        self, suspension_id: int, *, guild_id: int, member_id: int, now: float
    ) -> Card:
        """Open the card for a suspension's appeal; there is only one."""
        row = await self._database.fetch_one(
            "INSERT INTO card (card_id, kind, guild_id, member_id, suspension_id, opened_at) "  # noqa: S608
            f"VALUES ({_NEXT_ID}, ?, ?, ?, ?, ?) RETURNING *",
            (CardKind.APPEAL, guild_id, member_id, suspension_id, now),
        )
        assert row is not None
        return _parse_card(row)

    async def open_for_phrase(
        self, phrase_id: int, *, guild_id: int, member_id: int, now: float, expires_at: float
    ) -> Card:
        """Open the card for a held phrase of a round; there is only one."""
        row = await self._database.fetch_one(
            "INSERT INTO card (card_id, kind, guild_id, member_id, phrase_id, opened_at, "  # noqa: S608
            f"expires_at) VALUES ({_NEXT_ID}, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (phrase_id) DO UPDATE SET kind = kind RETURNING *",
            (CardKind.PHRASE, guild_id, member_id, phrase_id, now, expires_at),
        )
        assert row is not None
        return _parse_card(row)

    async def open_for_rules(self, guild_id: int, *, now: float) -> Card:
        """Open a card about a server's rules, which concerns no member."""
        row = await self._database.fetch_one(
            "INSERT INTO card (card_id, kind, guild_id, member_id, opened_at) "  # noqa: S608
            f"VALUES ({_NEXT_ID}, ?, ?, 0, ?) RETURNING *",
            (CardKind.RULES, guild_id, now),
        )
        assert row is not None
        return _parse_card(row)

    async def fetch(self, card_id: int) -> Card | None:
        """Return the card with this number, or None."""
        row = await self._database.fetch_one("SELECT * FROM card WHERE card_id = ?", (card_id,))
        return _parse_card(row) if row else None

    async def fetch_open(self, job_id: int) -> Card | None:
        """Return the open card about this job, or None."""
        row = await self._database.fetch_one(
            "SELECT * FROM card WHERE job_id = ? AND decision = ''", (job_id,)
        )
        return _parse_card(row) if row else None

    async def list_unsettled_ids(self) -> list[int]:
        """List the ids of unsettled cards, oldest first.

        A card is settled when a moderator has decided and everybody concerned has been told.
        """
        rows = await self._database.fetch_all(
            "SELECT card_id FROM card WHERE settled_at IS NULL ORDER BY card_id"
        )
        return [row["card_id"] for row in rows]

    async def list_held_without_card(self) -> list[int]:
        """List held jobs that no open card asks about, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT job_id FROM job WHERE status = 'held' AND NOT EXISTS "
            "(SELECT 1 FROM card WHERE card.job_id = job.job_id AND decision = '') ORDER BY job_id"
        )
        return [row["job_id"] for row in rows]

    async def mark_posted(self, card_id: int, *, channel_id: int, message_id: int) -> None:
        """Remember in which message the card was posted."""
        await self._database.execute(
            "UPDATE card SET channel_id = ?, message_id = ? WHERE card_id = ?",
            (channel_id, message_id, card_id),
        )

    async def mark_decided(
        self, card_id: int, decision: Decision, *, decided_by: int, now: float, reason: str = ""
    ) -> Card | None:
        """Mark an open card as decided; None if somebody else decided first."""
        row = await self._database.fetch_one(
            "UPDATE card SET decision = ?, decided_by = ?, decided_at = ?, reason = ? "
            "WHERE card_id = ? AND decision = '' RETURNING *",
            (decision, decided_by, now, reason, card_id),
        )
        return _parse_card(row) if row else None

    async def mark_settled(self, card_id: int, *, now: float) -> None:
        """Mark a decided card as done: everybody concerned has been told."""
        await self._database.execute(
            "UPDATE card SET settled_at = ? WHERE card_id = ? AND decision <> ''", (now, card_id)
        )

    async def add_report(
        self, card: Card, *, reporter_id: int, reason: str, now: float
    ) -> Report | None:
        """Add a member's report; None if they have reported this job before."""
        row = await self._database.fetch_one(
            "INSERT INTO report (card_id, job_id, guild_id, reporter_id, reason, at) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (job_id, reporter_id) DO NOTHING RETURNING *",
            (card.card_id, card.job_id, card.guild_id, reporter_id, reason, now),
        )
        return _parse_report(row) if row else None

    async def list_reports(self, card_id: int) -> list[Report]:
        """Return the reports on a card, one per member, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM report WHERE card_id = ? ORDER BY report_id", (card_id,)
        )
        return [_parse_report(row) for row in rows]

    async def count_reports_by(self, guild_id: int, reporter_id: int, since: float) -> int:
        """Return how many pictures a member has reported after ``since``."""
        row = await self._database.fetch_one(
            "SELECT count(*) AS number FROM report "
            "WHERE guild_id = ? AND reporter_id = ? AND at > ?",
            (guild_id, reporter_id, since),
        )
        assert row is not None
        return row["number"]


def _parse_card(row: Row) -> Card:
    values: dict[str, Any] = {name: row[name] for name in row.keys()}  # noqa: SIM118 - not a dict
    values["kind"] = CardKind(row["kind"])
    values["decision"] = Decision(row["decision"]) if row["decision"] else None
    return Card(**values)


def _parse_report(row: Row) -> Report:
    return Report(row["report_id"], row["reporter_id"], row["reason"], row["at"])
