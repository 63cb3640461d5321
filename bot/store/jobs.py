"""Rows of the job and picture tables.

Every ``mark_…`` changes a job only if the job is in one of the states in its WHERE clause, and
returns the changed job. If the job is in another state, it returns None: two people may press
buttons at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.domain.jobs import Job, JobStatus, Origin
from bot.domain.pictures import PictureFile
from bot.domain.recipes import Recipe
from bot.domain.rules import MINORS, Outcome, Verdict
from bot.store.database import Database
from bot.store.rows import (
    compose_next_id,
    format_reason,
    format_recipe,
    parse_picture,
    picture_row,
)
from bot.store.shares import ShareRepository
from bot.texts.reasons import Reason

_WAITING = (JobStatus.ACCEPTED, JobStatus.HELD, JobStatus.QUEUED, JobStatus.RUNNING)
_COST_OF_END = {"cost": "iif(source = 'round', 0.0, ?)"}
_ALLOWED = Verdict(Outcome.ALLOW)
_NEXT_ID = compose_next_id("job", "job_id")


class JobRepository:
    """Stores jobs, their states and their pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database
        shares = ShareRepository(database)
        self.share_out = shares.share_out
        self._read = shares.read
        self._read_all = shares.read_all
        self.transaction = database.transaction
        self.is_in_place = database.is_in_place

    async def insert_job(
        self,
        origin: Origin,
        recipe: Recipe,
        *,
        now: float,
        cost_estimate: float,
        refusal: Reason | None = None,
        verdict: Verdict = _ALLOWED,
        weight: float = 1.0,
        press: str = "",
    ) -> Job | None:
        """Commit a prompt as a job that is ``accepted`` or ``refused``.

        None if this interaction has a job, or if a job from the same press has not ended.
        """
        refused = refusal is not None
        values = {
            "source": origin.source,
            "interaction_id": origin.interaction_id,
            "token": None if refused else origin.token,
            "guild_id": origin.guild_id,
            "channel_id": origin.channel_id,
            "user_id": origin.user_id,
            "bot_in_channel": origin.bot_in_channel,
            "parent_channel_id": origin.parent_channel_id,
            "age_restricted": origin.age_restricted,
            "locale": origin.locale,
            "guild_locale": origin.guild_locale,
            "status": JobStatus.REFUSED if refused else JobStatus.ACCEPTED,
            **format_reason("reason", refusal),
            "recipe": format_recipe(recipe),
            "cost_estimate": cost_estimate,
            "cost": 0.0 if refused else cost_estimate,
            "accepted_at": now,
            "ended_at": now if refused else None,
            "spoiler": verdict.outcome is Outcome.SPOILER,
            "rule": verdict.rule,
            "rules_version": verdict.rules_version,
            "is_held": verdict.outcome is Outcome.HOLD,
            **format_reason("held", verdict.reason if verdict.outcome is Outcome.HOLD else None),
            "weight": weight,
            "press": press,
        }
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        row = await self._database.fetch_one(
            f"INSERT INTO job (job_id, {columns}) "  # noqa: S608 - our own column names
            f"VALUES ({_NEXT_ID}, {marks}) "
            "ON CONFLICT DO NOTHING RETURNING *",
            tuple(values.values()),
        )
        return await self._read(row)

    async def fetch_job(self, job_id: int) -> Job | None:
        """Return the job, or None."""
        row = await self._database.fetch_one("SELECT * FROM job WHERE job_id = ?", (job_id,))
        return await self._read(row)

    async def fetch_by_message(self, message_id: int) -> Job | None:
        """Return the job that this message shows, or None. It may show the winner of a round."""
        row = await self._database.fetch_one(
            "SELECT * FROM job WHERE message_id = :message OR job_id IN (SELECT job_id FROM round "
            "WHERE winner_message_id = :message OR showcase_message_id = :message) "
            "ORDER BY job_id DESC",
            {"message": message_id},
        )
        return await self._read(row)

    async def list_gallery(self, user_id: int, *, before: int | None, limit: int) -> list[Job]:
        """List a member's jobs with ids below ``before`` that still have pictures, newest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE user_id = ? AND job_id < ? AND deleted_at IS NULL "
            "AND hidden = 0 AND is_held = 0 AND status IN ('delivered', 'undeliverable') "
            "AND EXISTS (SELECT 1 FROM picture WHERE picture.job_id = job.job_id) "
            "ORDER BY job_id DESC LIMIT ?",
            (user_id, 2**63 - 1 if before is None else before, limit),
        )
        return await self._read_all(rows)

    async def list_by_status(self, *statuses: JobStatus) -> list[Job]:
        """List jobs in any of these states, oldest first."""
        marks = ", ".join("?" * len(statuses))
        rows = await self._database.fetch_all(
            f"SELECT * FROM job WHERE status IN ({marks}) ORDER BY job_id",  # noqa: S608
            statuses,
        )
        return await self._read_all(rows)

    async def list_started_since(self, moment: float) -> list[Job]:
        """List jobs that were started after ``moment`` and have a cost."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE started_at > ? AND cost > 0 ORDER BY job_id", (moment,)
        )
        return await self._read_all(rows)

    async def list_measured(self, model: str, engine: str, limit: int) -> list[Job]:
        """Return the last ``limit`` jobs that this engine drew with this model, newest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE rendered_at IS NOT NULL AND gpu_seconds > 0 "
            "AND json_extract(recipe, '$.model') = ? AND engine = ? "
            "ORDER BY rendered_at DESC LIMIT ?",
            (model, engine, limit),
        )
        return await self._read_all(rows)

    async def list_recent(self, guild_id: int, limit: int) -> list[Job]:
        """Return the last prompts of a guild whose text is still on record, newest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE guild_id = ? AND json_extract(recipe, '$.prompt') <> '' "
            "ORDER BY job_id DESC LIMIT ?",
            (guild_id, limit),
        )
        return await self._read_all(rows)

    async def list_waiting(self) -> list[Job]:
        """List all jobs that are waiting, held or being drawn, oldest first."""
        return await self.list_by_status(*_WAITING)

    async def list_waiting_of(self, user_id: int) -> list[Job]:
        """List a member's jobs that are waiting, held or being drawn, oldest first."""
        marks = ", ".join("?" * len(_WAITING))
        rows = await self._database.fetch_all(
            f"SELECT * FROM job WHERE status IN ({marks}) AND user_id = ? "  # noqa: S608
            "ORDER BY job_id",
            (*_WAITING, user_id),
        )
        return await self._read_all(rows)

    async def mark_answered(self, job_id: int, *, message_id: int | None, now: float) -> Job | None:
        """Move a job from accepted to queued, or to held if a moderator has to look first."""
        row = await self._database.fetch_one(
            "UPDATE job SET status = iif(is_held, 'held', 'queued'), "
            "message_id = ?, queued_at = ? WHERE job_id = ? AND status = 'accepted' RETURNING *",
            (message_id, now, job_id),
        )
        return await self._read(row)

    async def mark_held(self, job_id: int, *, held_for: Reason | None, rule: str) -> Job | None:
        """Move a job from rendered to held: a moderator must see its pictures first."""
        why: dict[str, Any] = {"is_held": True, "rule": rule, **format_reason("held", held_for)}
        return await self._change(job_id, (JobStatus.RENDERED,), JobStatus.HELD, **why)

    async def mark_approved(
        self, job_id: int, *, approved_by: int, spoiler: bool, now: float
    ) -> Job | None:
        """Move a job from held to queued or, if it is drawn, to rendered. Show all its pictures."""
        async with self._database.transaction():
            row = await self._database.fetch_one(
                "UPDATE job SET status = iif(rendered_at IS NULL, 'queued', 'rendered'), "
                "is_held = 0, held_code = '', held_params = '{}', approved_by = ?, queued_at = ?, "
                "spoiler = max(spoiler, ?) WHERE job_id = ? AND status = 'held' RETURNING *",
                (approved_by, now, spoiler, job_id),
            )
            if row is None:
                return None
            await self._database.execute(
                "UPDATE picture SET shown = 1, sha256 = held.sha256 FROM held_picture AS held "
                "WHERE picture.job_id = ? AND held.job_id = picture.job_id "
                "AND held.panel = picture.panel",
                (job_id,),
            )
            await self._database.execute("DELETE FROM held_picture WHERE job_id = ?", (job_id,))
            return await self._read(row)

    async def mark_covered(self, job_id: int) -> Job | None:
        """Record that a job must be shown as a spoiler."""
        return await self._change(job_id, (JobStatus.RENDERED,), JobStatus.RENDERED, spoiler=True)

    async def mark_hidden(self, job_id: int, *, hidden: bool) -> Job | None:
        """Record whether the pictures of a delivered job are hidden from everybody."""
        return await self._change(
            job_id, (JobStatus.DELIVERED,), JobStatus.DELIVERED, hidden=hidden
        )

    async def mark_sealed(self, job_id: int) -> None:
        """Record that nobody may read this job. The audit log then leaves out its words."""
        await self._database.execute("UPDATE job SET rule = ? WHERE job_id = ?", (MINORS, job_id))

    async def mark_running(self, job: Job, *, now: float) -> Job | None:
        """Move a job from queued to running, with recipe and cost filled in from the model."""
        return await self._change(
            job.job_id,
            (JobStatus.QUEUED,),
            JobStatus.RUNNING,
            recipe=format_recipe(job.recipe),
            cost_estimate=job.cost_estimate,
            cost=job.cost_estimate,
            attempt=job.attempt + 1,
            started_at=now,
        )

    async def mark_requeued(self, job: Job, *, attempted: bool) -> Job | None:
        """Move a job from running to queued after a failed attempt, or after a stop."""
        return await self._change(
            job.job_id,
            (JobStatus.RUNNING,),
            JobStatus.QUEUED,
            attempt=job.attempt if attempted else job.attempt - 1,
            engines_lost=job.engines_lost,
            started_at=None,
        )

    async def mark_rendered(
        self,
        job_id: int,
        files: Sequence[PictureFile],
        *,
        cost: float,
        gpu_seconds: float,
        cut_words: str,
        now: float,
        cut_negative_words: str = "",
        engine: str = "",
        spoiler: bool = False,
        held_for: Reason | None = None,
        held_files: Sequence[PictureFile] = (),
    ) -> Job | None:
        """Move a job from running to rendered, and insert its picture rows.

        held_for: why a moderator must first see ``held_files``, the pictures as they were drawn.
        """
        async with self._database.transaction():
            job = await self._change(
                job_id,
                (JobStatus.RUNNING,),
                JobStatus.RENDERED,
                cost=cost,
                gpu_seconds=gpu_seconds,
                engine=engine,
                cut_words=cut_words,
                cut_negative_words=cut_negative_words,
                rendered_at=now,
                is_held=held_for is not None,
                **format_reason("held", held_for),
                **({"spoiler": True} if spoiler else {}),
            )
            if job is not None:
                await self._database.execute_many(
                    "INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    [picture_row(job_id, file) for file in files],
                )
                await self._database.execute_many(
                    "INSERT OR REPLACE INTO held_picture VALUES (?, ?, ?)",
                    [(job_id, file.panel, file.sha256) for file in held_files],
                )
            return job

    async def mark_delivered(
        self, job_id: int, *, message_id: int | None, now: float
    ) -> Job | None:
        """Move a job from rendered to delivered."""
        return await self._change(
            job_id, (JobStatus.RENDERED,), JobStatus.DELIVERED, message_id=message_id, ended_at=now
        )

    async def mark_ended(
        self,
        job_id: int,
        status: JobStatus,
        *,
        reason: Reason,
        now: float,
        leaving: Sequence[JobStatus],
        cost: float = 0.0,
        end_notified: bool = False,
        **columns: str,
    ) -> Job | None:
        """End a job without pictures if its status is one of ``leaving``. By default it is free.

        The job of a round is always free.

        end_notified: True if no message is needed, or nobody can be reached.
        """
        why = format_reason("reason", reason)
        return await self._change(
            job_id,
            leaving,
            status,
            cost=cost,
            ended_at=now,
            end_notified=end_notified,
            **why,
            **columns,
        )

    async def mark_end_notified(self, job_id: int) -> None:
        """Record that the job's message shows how it ended."""
        await self._database.execute("UPDATE job SET end_notified = 1 WHERE job_id = ?", (job_id,))

    async def list_waits_since(self, moment: float, guild_id: int | None = None) -> list[float]:
        """List the waits in the queue, in seconds, of jobs that were started after ``moment``.

        guild_id: list only jobs of this server.
        """
        rows = await self._database.fetch_all_apart(
            "SELECT started_at - queued_at FROM job WHERE started_at > :moment "
            "AND queued_at IS NOT NULL AND (:guild_id IS NULL OR guild_id = :guild_id)",
            {"moment": moment, "guild_id": guild_id},
        )
        return [max(float(row[0]), 0.0) for row in rows]

    async def count_by_status(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        query = "SELECT status, count(*) FROM job GROUP BY status"
        rows = await self._database.fetch_all_apart(query)
        return {row[0]: row[1] for row in rows}

    async def list_not_notified(self) -> list[Job]:
        """List jobs that ended without pictures and whose message may not say so yet."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE end_notified = 0 ORDER BY job_id"
        )
        return await self._read_all(rows)

    async def forget_dead_tokens(self, before: float) -> None:
        """Erase the interaction tokens of jobs accepted before this moment."""
        await self._database.execute(
            "UPDATE job SET token = NULL WHERE token IS NOT NULL AND accepted_at < ?", (before,)
        )

    async def mark_deleted(self, job_id: int, *, deleted_by: int, now: float) -> Job | None:
        """Record that a job's pictures must be deleted. None if it has no pictures."""
        async with self._database.transaction():
            row = await self._database.fetch_one(
                "UPDATE job SET deleted_at = ?, deleted_by = ? WHERE job_id = ? "
                "AND deleted_at IS NULL AND status IN ('rendered', 'delivered', 'undeliverable') "
                "RETURNING *",
                (now, deleted_by, job_id),
            )
            if row is not None:
                await self._database.execute("DELETE FROM picture WHERE job_id = ?", (job_id,))
        return await self._read(row)

    async def list_pictures(self, job_id: int) -> list[PictureFile]:
        """Return the files of a rendered job, the grid first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM picture WHERE job_id = ? ORDER BY panel", (job_id,)
        )
        return [parse_picture(row) for row in rows]

    async def _change(
        self, job_id: int, leaving: Sequence[JobStatus], status: JobStatus, **columns: Any
    ) -> Job | None:
        columns = {"status": status, **columns}
        values = _COST_OF_END if "end_notified" in columns else {}
        assignments = ", ".join(f"{name} = {values.get(name, '?')}" for name in columns)
        marks = ", ".join("?" * len(leaving))
        row = await self._database.fetch_one(
            f"UPDATE job SET {assignments} "  # noqa: S608 - our own column names
            f"WHERE job_id = ? AND status IN ({marks}) RETURNING *",
            (*columns.values(), job_id, *leaving),
        )
        return await self._read(row)
