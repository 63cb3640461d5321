"""Reads and writes rows of the phrase table, and the votes for phrases."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from bot.domain.rounds import Phrase, PhraseStatus
from bot.domain.rules import Verdict
from bot.store.database import Database, Row
from bot.store.rows import compose_next_id, format_reason, parse_real, parse_reason

_NEXT_ID = compose_next_id("phrase", "phrase_id")
_SELECT = (
    "SELECT *, (SELECT count(*) FROM phrase_vote "
    "WHERE phrase_vote.phrase_id = phrase.phrase_id) AS votes FROM phrase"
)
_IN_OPEN_ROUND = (
    "EXISTS (SELECT 1 FROM round WHERE round.round_id = phrase.round_id AND status = 'open' "
    "AND closes_at > :now)"
)


class PhraseRepository:
    """Stores the phrases of rounds, and who votes for which phrase."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def insert(
        self,
        phrase: Phrase,
        *,
        key: str,
        verdict: Verdict,
        now: float,
        max_phrases: int,
    ) -> Phrase | None:
        """Add a phrase. The same statement checks again what may have changed.

        None if the round is not open or is full, if its author has used up their phrases or is
        suspended, or if somebody has added the same phrase.
        """
        held_for = verdict.reason if phrase.status is PhraseStatus.HELD else None
        names = {
            "round_id": phrase.round_id,
            "user_id": phrase.user_id,
            "text": phrase.text,
            "key": key,
            "status": phrase.status,
            "now": now,
            "weight": phrase.weight,
            "most_cost": phrase.max_cost_per_day,
            "rule": verdict.rule,
            "rules_version": verdict.rules_version,
            "max_phrases": max_phrases,
            **format_reason("held", held_for),
        }
        row = await self._database.fetch_one(
            f"""
            INSERT INTO phrase (phrase_id, round_id, guild_id, user_id, text, key, status, at,
                weight, max_cost_per_day, rule, rules_version, held_code, held_params)
            SELECT {_NEXT_ID}, round_id, guild_id, :user_id, :text, :key, :status, :now,
                :weight, :most_cost, :rule, :rules_version, :held_code, :held_params
            FROM round WHERE round_id = :round_id AND status = 'open' AND closes_at > :now
                AND phrases_each > (SELECT count(*) FROM phrase WHERE round_id = :round_id
                    AND user_id = :user_id AND status IN ('held', 'joined', 'struck'))
                AND :max_phrases > (SELECT count(*) FROM phrase WHERE round_id = :round_id
                    AND status IN ('held', 'joined'))
                AND NOT EXISTS (SELECT 1 FROM suspension
                    WHERE suspension.guild_id = round.guild_id AND member_id = :user_id
                    AND lifted_at IS NULL AND ends_at > :now)
            ON CONFLICT DO NOTHING RETURNING *, 0 AS votes
            """,  # noqa: S608 - our own SQL
            names,
        )
        return None if row is None else _parse(row)

    async def fetch(self, phrase_id: int) -> Phrase | None:
        """Return a phrase with its votes, or None."""
        row = await self._database.fetch_one(f"{_SELECT} WHERE phrase_id = ?", (phrase_id,))
        return None if row is None else _parse(row)

    async def fetch_same(self, round_id: int, key: str) -> Phrase | None:
        """Return the phrase of a round that says the same, or None."""
        row = await self._database.fetch_one(
            f"{_SELECT} WHERE round_id = ? AND key = ? AND status IN ('held', 'joined')",
            (round_id, key),
        )
        return None if row is None else _parse(row)

    async def list_of_round(
        self, round_id: int, *statuses: PhraseStatus, user_id: int | None = None
    ) -> list[Phrase]:
        """List a round's phrases in these states, oldest first. user_id: only those of a member."""
        marks = ", ".join("?" * len(statuses))
        rows = await self._database.fetch_all(
            f"{_SELECT} WHERE round_id = ? AND status IN ({marks}) "
            "AND (? IS NULL OR user_id = ?) ORDER BY phrase_id",
            (round_id, *statuses, user_id, user_id),
        )
        return [_parse(row) for row in rows]

    async def list_newest(self, round_id: int, limit: int) -> list[str]:
        """List the texts of the phrases that joined last, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT text FROM phrase WHERE round_id = ? AND status = 'joined' AND text <> '' "
            "ORDER BY phrase_id DESC LIMIT ?",
            (round_id, limit),
        )
        return [row["text"] for row in reversed(rows)]

    async def list_held_without_card(self) -> list[int]:
        """List the held phrases of open rounds that have no card, oldest first."""
        rows = await self._database.fetch_all(
            "SELECT phrase_id FROM phrase JOIN round USING (round_id) WHERE phrase.status = 'held' "
            "AND round.status = 'open' AND NOT EXISTS "
            "(SELECT 1 FROM card WHERE card.phrase_id = phrase.phrase_id) ORDER BY phrase_id"
        )
        return [row["phrase_id"] for row in rows]

    async def mark(
        self, phrase_id: int, status: PhraseStatus, *, leaving: Sequence[PhraseStatus], now: float
    ) -> Phrase | None:
        """Change a phrase's state while its round takes phrases. None if that is not possible."""
        names = {f"leaving_{n}": each for n, each in enumerate(leaving)}
        marks = ", ".join(f":{name}" for name in names)
        row = await self._database.fetch_one(
            f"UPDATE phrase SET status = :status WHERE phrase_id = :phrase_id "  # noqa: S608
            f"AND status IN ({marks}) AND {_IN_OPEN_ROUND} RETURNING *, 0 AS votes",
            {"status": status, "phrase_id": phrase_id, "now": now, **names},
        )
        return None if row is None else _parse(row)

    async def mark_refused(self, phrase_id: int) -> Phrase | None:
        """Record that a phrase is not allowed, whatever its round does."""
        row = await self._database.fetch_one(
            "UPDATE phrase SET status = 'refused' WHERE phrase_id = ? "
            "AND status IN ('held', 'joined') RETURNING *, 0 AS votes",
            (phrase_id,),
        )
        return None if row is None else _parse(row)

    async def strike_out_member(self, guild_id: int, user_id: int) -> list[int]:
        """Take out a member's phrases in the rounds of a server that are not closed yet.

        Returns the rounds that changed.
        """
        rows = await self._database.fetch_all(
            "UPDATE phrase SET status = 'struck' WHERE guild_id = ? AND user_id = ? "
            "AND status IN ('held', 'joined') AND round_id IN "
            "(SELECT round_id FROM round WHERE guild_id = ? AND status IN ('open', 'asking')) "
            "RETURNING round_id",
            (guild_id, user_id, guild_id),
        )
        return sorted({row["round_id"] for row in rows})

    async def mark_used(self, phrase_ids: Sequence[int]) -> None:
        """Record which phrases are part of the prompt, in its order."""
        await self._database.execute_many(
            "UPDATE phrase SET place = ? WHERE phrase_id = ?",
            list(enumerate(phrase_ids, 1)),
        )

    async def put_votes(
        self,
        round_id: int,
        user_id: int,
        *,
        chosen: Collection[int],
        among: Collection[int],
        own_too: bool,
        now: float,
    ) -> int:
        """Save which phrases in ``among`` a member votes for; return the number of votes."""
        names = {
            "round_id": round_id,
            "user_id": user_id,
            "own_too": own_too,
            "now": now,
        }
        async with self.transaction():
            await self._database.execute(
                "DELETE FROM phrase_vote WHERE user_id = :user_id AND phrase_id IN "  # noqa: S608
                "(SELECT phrase_id FROM phrase WHERE round_id = :round_id "
                f"AND phrase_id IN (SELECT value FROM json_each(:among)) AND {_IN_OPEN_ROUND})",
                names | {"among": json.dumps([*among])},
            )
            rows = await self._database.fetch_all(
                "INSERT INTO phrase_vote SELECT phrase_id, :user_id FROM phrase "  # noqa: S608
                "WHERE round_id = :round_id AND status = 'joined' "
                "AND (:own_too OR user_id <> :user_id) "
                f"AND phrase_id IN (SELECT value FROM json_each(:chosen)) AND {_IN_OPEN_ROUND} "
                "ON CONFLICT DO NOTHING RETURNING phrase_id",
                names | {"chosen": json.dumps([*{*chosen} & {*among}])},
            )
        return len(rows)

    async def list_chosen_by(self, round_id: int, user_id: int) -> set[int]:
        """Return the phrases of a round that a member votes for."""
        rows = await self._database.fetch_all(
            "SELECT phrase_id FROM phrase_vote JOIN phrase USING (phrase_id) "
            "WHERE round_id = ? AND phrase_vote.user_id = ?",
            (round_id, user_id),
        )
        return {row["phrase_id"] for row in rows}


def _parse(row: Row) -> Phrase:
    return Phrase(
        row["phrase_id"],
        row["round_id"],
        row["guild_id"],
        row["user_id"],
        row["text"],
        PhraseStatus(row["status"]),
        float(row["at"]),
        row["votes"],
        row["place"],
        float(row["weight"]),
        parse_real(row["max_cost_per_day"]),
        parse_reason("held", row),
    )
