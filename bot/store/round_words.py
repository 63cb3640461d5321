"""Exports and erases what a member added to rounds: themes, phrases, votes and shares.

The prompt of a round contains the words of several people. If one of them deletes their words, the
words of the others stay.
"""

from __future__ import annotations

from typing import Any

from bot.domain.rounds import compose_prompt
from bot.store.database import Database
from bot.store.personal_data import ENDED

_JOB_ENDED = ENDED.replace("status", "job.status")
_EXPORTS = {
    "rounds_started": "SELECT round_id, guild_id, channel_id, theme, style, status, opened_at, "
    "closes_at, ended_at, winner FROM round WHERE starter_id = ? ORDER BY round_id",
    "phrases": "SELECT phrase_id, round_id, guild_id, text, status, at, place FROM phrase "
    "WHERE user_id = ? ORDER BY phrase_id",
    "votes_for_phrases": "SELECT phrase_id FROM phrase_vote WHERE user_id = ? ORDER BY phrase_id",
    "votes_for_pictures": "SELECT round_id, panel FROM picture_vote WHERE user_id = ? "
    "ORDER BY round_id",
    "shares_of_jobs": "SELECT job_id, share, cost * share AS cost, accepted_at FROM job_share "
    "JOIN job USING (job_id) WHERE job_share.user_id = ? ORDER BY job_id",
}
# A message with a winner shows the theme. It is never edited, so it is deleted with the theme.
_WINNERS_TO_DELETE = (
    "INSERT OR IGNORE INTO message_to_delete SELECT {message}, {channel} FROM round "
    "WHERE starter_id = ? AND {message} > 0 AND {channel} IS NOT NULL"
)


class RoundWordsRepository:
    """Reads and erases one member's part in rounds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_of_member(self, user_id: int) -> dict[str, list[dict[str, Any]]]:
        """List everything that a member added to rounds."""
        return {
            name: [dict(row) for row in await self._database.fetch_all_apart(query, (user_id,))]
            for name, query in _EXPORTS.items()
        }

    async def list_guilds(self, user_id: int) -> list[int]:
        """List the servers in whose rounds a member took part."""
        rows = await self._database.fetch_all(
            "SELECT guild_id FROM phrase WHERE user_id = :user UNION "
            "SELECT guild_id FROM round WHERE starter_id = :user",
            {"user": user_id},
        )
        return [row["guild_id"] for row in rows]

    async def erase(self, user_id: int) -> list[int]:
        """Erase a member's words and votes, in the caller's transaction.

        Returns the rounds whose message has to change. Pictures, and other people's phrases, stay
        there. If the member started a round, the messages with its winner are listed for deletion.
        """
        rows = await self._database.fetch_all(
            "SELECT round_id FROM phrase WHERE user_id = :user UNION "
            "SELECT round_id FROM round WHERE starter_id = :user UNION "
            "SELECT round_id FROM phrase JOIN phrase_vote USING (phrase_id) "
            "WHERE phrase_vote.user_id = :user UNION "
            "SELECT round_id FROM picture_vote WHERE user_id = :user ORDER BY 1",
            {"user": user_id},
        )
        round_ids = [row["round_id"] for row in rows]
        for statement in (
            _WINNERS_TO_DELETE.format(message="winner_message_id", channel="channel_id"),
            _WINNERS_TO_DELETE.format(message="showcase_message_id", channel="showcase_channel_id"),
            "UPDATE round SET winner_message_id = min(winner_message_id, 0), "
            "showcase_message_id = min(showcase_message_id, 0) WHERE starter_id = ?",
            "UPDATE phrase SET status = 'withdrawn' WHERE user_id = ? AND place IS NULL "
            "AND status IN ('held', 'joined')",
            "UPDATE phrase SET text = '', key = NULL, user_id = 0 WHERE user_id = ?",
            "UPDATE round SET theme = '', starter_id = 0, interaction_id = NULL "
            "WHERE starter_id = ?",
            "DELETE FROM phrase_vote WHERE user_id = ?",
            "DELETE FROM picture_vote WHERE user_id = ?",
        ):
            await self._database.execute(statement, (user_id,))
        for round_id in round_ids:
            await self.take_out_deleted(round_id)
        return round_ids

    async def take_out_deleted(self, round_id: int) -> None:
        """Take deleted words out of the prompt in the round's job.

        This does nothing before the job has ended, because until then its recipe is written again.
        """
        found = await self._database.fetch_one(
            "SELECT theme, job_id, json_extract(recipe, '$.prompt') AS prompt, "  # noqa: S608
            "json_extract(recipe, '$.own_words') AS own_words "
            f"FROM round JOIN job USING (job_id) WHERE round_id = ? AND {_JOB_ENDED}",
            (round_id,),
        )
        if found is None or not found["prompt"]:
            return
        rows = await self._database.fetch_all(
            "SELECT text FROM phrase WHERE round_id = ? AND place IS NOT NULL ORDER BY place",
            (round_id,),
        )
        phrases = [row["text"] for row in rows]
        if found["theme"] and all(phrases):
            return
        left = compose_prompt(found["theme"], phrases)
        own = found["own_words"]
        names = {"job_id": found["job_id"], "own": left if own else None}
        names["prompt"] = found["prompt"].replace(own, left) if own else left
        await self._database.execute(
            "UPDATE job SET cut_words = '', recipe = json_set(recipe, '$.prompt', :prompt, "
            "'$.own_words', :own) WHERE job_id = :job_id",
            names,
        )
