"""Rows of the job and picture tables.

Every ``mark_…`` names the states it may leave in its WHERE clause and returns the changed job, or
None when the job had already gone another way: two people can press at once, the row decides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bot.records import (
    Job,
    JobStatus,
    Origin,
    Outcome,
    PanelVerdict,
    PictureFile,
    Recipe,
    Standing,
    Verdict,
)
from bot.store.database import Database, Row

_WAITING = (JobStatus.ACCEPTED, JobStatus.HELD, JobStatus.QUEUED, JobStatus.RUNNING)
_HOUR_SECONDS = 3600.0
_ALLOWED = Verdict(Outcome.ALLOW)


class JobRepository:
    """Jobs, their states and their pictures."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.transaction = database.transaction

    async def insert_job(
        self,
        origin: Origin,
        recipe: Recipe,
        *,
        now: float,
        cost_estimate: float,
        refusal: str | None = None,
        verdict: Verdict = _ALLOWED,
        weight: float = 1.0,
    ) -> Job | None:
        """Commit a prompt, ``accepted`` or ``refused``; None if this interaction has a row."""
        refused = refusal is not None
        values = {
            "interaction_id": origin.interaction_id,
            "token": None if refused else origin.token,
            "guild_id": origin.guild_id,
            "channel_id": origin.channel_id,
            "user_id": origin.user_id,
            "bot_in_channel": origin.bot_in_channel,
            "parent_channel_id": origin.parent_channel_id,
            "age_restricted": origin.age_restricted,
            "status": JobStatus.REFUSED if refused else JobStatus.ACCEPTED,
            "reason": refusal or "",
            **_recipe_columns(recipe),
            "cost_estimate": cost_estimate,
            "cost": 0.0 if refused else cost_estimate,
            "accepted_at": now,
            "ended_at": now if refused else None,
            "spoiler": verdict.outcome is Outcome.SPOILER,
            "rule": verdict.rule,
            "rules_version": verdict.rules_version,
            "held_for": verdict.reason if verdict.outcome is Outcome.HOLD else "",
            "weight": weight,
        }
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        row = await self._database.fetch_one(
            f"INSERT INTO job ({columns}) VALUES ({marks}) "  # noqa: S608 - our own column names
            "ON CONFLICT (interaction_id) DO NOTHING RETURNING *",
            tuple(values.values()),
        )
        return _parse_job(row) if row else None

    async def fetch_job(self, job_id: int) -> Job | None:
        """The job, or None."""
        row = await self._database.fetch_one("SELECT * FROM job WHERE job_id = ?", (job_id,))
        return _parse_job(row) if row else None

    async def fetch_by_message(self, message_id: int) -> Job | None:
        """The job that this message shows, or None."""
        row = await self._database.fetch_one(
            "SELECT * FROM job WHERE message_id = ? ORDER BY job_id DESC", (message_id,)
        )
        return _parse_job(row) if row else None

    async def list_by_status(self, *statuses: JobStatus) -> list[Job]:
        """Jobs in any of these states, oldest first."""
        marks = ", ".join("?" * len(statuses))
        rows = await self._database.fetch_all(
            f"SELECT * FROM job WHERE status IN ({marks}) ORDER BY job_id",  # noqa: S608
            statuses,
        )
        return [_parse_job(row) for row in rows]

    async def list_started_since(self, moment: float) -> list[Job]:
        """Jobs whose drawing began after ``moment`` and that still cost something."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE started_at > ? AND cost > 0 ORDER BY job_id", (moment,)
        )
        return [_parse_job(row) for row in rows]

    async def list_measured(self, model: str, limit: int) -> list[Job]:
        """The last ``limit`` jobs that this model drew to the end, newest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM job WHERE rendered_at IS NOT NULL AND gpu_seconds > 0 AND model = ? "
            "ORDER BY rendered_at DESC LIMIT ?",
            (model, limit),
        )
        return [_parse_job(row) for row in rows]

    async def fetch_standing(self, origin: Origin, now: float) -> Standing:
        """How much of the quotas this member and guild use at this moment."""
        row = await self._database.fetch_one(
            """
            SELECT
                coalesce(sum(user_id = :user AND waiting), 0) AS member_waiting,
                coalesce(sum(guild_id IS :guild AND waiting), 0) AS guild_waiting,
                coalesce(sum(waiting), 0) AS total_waiting,
                coalesce(sum(cost) FILTER (WHERE user_id = :user AND accepted_at > :since), 0.0)
                    AS member_cost
            FROM (
                SELECT user_id, guild_id, cost, accepted_at, 1 AS waiting FROM job
                WHERE status IN ('accepted', 'held', 'queued', 'running')
                UNION ALL
                SELECT user_id, guild_id, cost, accepted_at, 0 FROM job
                WHERE user_id = :user AND accepted_at > :since
                    AND status NOT IN ('accepted', 'held', 'queued', 'running')
            )
            """,
            {"user": origin.user_id, "guild": origin.guild_id, "since": now - _HOUR_SECONDS},
        )
        assert row is not None  # an aggregate always gives one row
        return Standing(
            row["member_waiting"], row["guild_waiting"], row["total_waiting"], row["member_cost"]
        )

    async def list_waiting_of(self, user_id: int) -> list[Job]:
        """A member's jobs that are waiting, held or being drawn, oldest first."""
        return [
            job for job in await self.list_by_status(*_WAITING) if job.origin.user_id == user_id
        ]

    async def mark_answered(self, job_id: int, *, message_id: int | None, now: float) -> Job | None:
        """accepted → queued or, if a moderator has to look first, held."""
        row = await self._database.fetch_one(
            "UPDATE job SET status = CASE held_for WHEN '' THEN 'queued' ELSE 'held' END, "
            "message_id = ?, queued_at = ? WHERE job_id = ? AND status = 'accepted' RETURNING *",
            (message_id, now, job_id),
        )
        return _parse_job(row) if row else None

    async def mark_held(self, job_id: int, *, held_for: str, rule: str) -> Job | None:
        """rendered → held: nobody sees its pictures before a moderator has."""
        return await self._change(
            job_id, (JobStatus.RENDERED,), JobStatus.HELD, held_for=held_for, rule=rule
        )

    async def mark_approved(
        self, job_id: int, *, approved_by: int, spoiler: bool, now: float
    ) -> Job | None:
        """held → queued or, if it is drawn, rendered, with all of its pictures to be shown."""
        async with self._database.transaction():
            row = await self._database.fetch_one(
                "UPDATE job SET status = iif(rendered_at IS NULL, 'queued', 'rendered'), "
                "held_for = '', approved_by = ?, spoiler = max(spoiler, ?), queued_at = ? "
                "WHERE job_id = ? AND status = 'held' RETURNING *",
                (approved_by, spoiler, now, job_id),
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
            return _parse_job(row)

    async def mark_covered(self, job_id: int) -> Job | None:
        """A job that is to be shown as a spoiler."""
        return await self._change(job_id, (JobStatus.RENDERED,), JobStatus.RENDERED, spoiler=True)

    async def mark_hidden(self, job_id: int, *, hidden: bool) -> Job | None:
        """A delivered job whose pictures nobody may see, or may see again."""
        return await self._change(
            job_id, (JobStatus.DELIVERED,), JobStatus.DELIVERED, hidden=hidden
        )

    async def mark_running(self, job: Job, *, now: float) -> Job | None:
        """queued → running, with the recipe and cost filled in from the model."""
        return await self._change(
            job.job_id,
            (JobStatus.QUEUED,),
            JobStatus.RUNNING,
            **_recipe_columns(job.recipe),
            cost_estimate=job.cost_estimate,
            cost=job.cost_estimate,
            attempt=job.attempt + 1,
            started_at=now,
        )

    async def mark_requeued(self, job: Job, *, attempted: bool) -> Job | None:
        """running → queued, after a failed attempt, or a stop that was not the job's fault."""
        return await self._change(
            job.job_id,
            (JobStatus.RUNNING,),
            JobStatus.QUEUED,
            attempt=job.attempt if attempted else job.attempt - 1,
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
        spoiler: bool = False,
        held_for: str = "",
        held_files: Sequence[PictureFile] = (),
    ) -> Job | None:
        """running → rendered, together with its picture rows.

        held_for: why a moderator has to see ``held_files``, the pictures as they were drawn, first.
        """
        async with self._database.transaction():
            job = await self._change(
                job_id,
                (JobStatus.RUNNING,),
                JobStatus.RENDERED,
                cost=cost,
                gpu_seconds=gpu_seconds,
                cut_words=cut_words,
                rendered_at=now,
                held_for=held_for,
                **({"spoiler": True} if spoiler else {}),
            )
            if job is not None:
                await self._database.execute_many(
                    "INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [_picture_row(job_id, file) for file in files],
                )
                await self._database.execute_many(
                    "INSERT OR REPLACE INTO held_picture VALUES (?, ?, ?)",
                    [(job_id, file.panel, file.sha256) for file in held_files],
                )
            return job

    async def mark_delivered(
        self, job_id: int, *, message_id: int | None, now: float
    ) -> Job | None:
        """rendered → delivered."""
        return await self._change(
            job_id,
            (JobStatus.RENDERED,),
            JobStatus.DELIVERED,
            message_id=message_id,
            ended_at=now,
        )

    async def mark_ended(
        self,
        job_id: int,
        status: JobStatus,
        *,
        reason: str,
        now: float,
        leaving: Sequence[JobStatus],
        cost: float = 0.0,
        **columns: str,
    ) -> Job | None:
        """leaving → any end without pictures; by default nothing is charged."""
        return await self._change(
            job_id, leaving, status, reason=reason, cost=cost, ended_at=now, **columns
        )

    async def forget_dead_tokens(self, before: float) -> None:
        """Blank the interaction tokens of jobs accepted before this moment."""
        await self._database.execute(
            "UPDATE job SET token = NULL WHERE token IS NOT NULL AND accepted_at < ?", (before,)
        )

    async def list_pictures(self, job_id: int) -> list[PictureFile]:
        """The files of a rendered job, the grid first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM picture WHERE job_id = ? ORDER BY panel", (job_id,)
        )
        return [_parse_picture(row) for row in rows]

    async def _change(
        self, job_id: int, leaving: Sequence[JobStatus], status: JobStatus, **columns: Any
    ) -> Job | None:
        columns = {"status": status, **columns}
        assignments = ", ".join(f"{name} = ?" for name in columns)
        marks = ", ".join("?" * len(leaving))
        row = await self._database.fetch_one(
            f"UPDATE job SET {assignments} "  # noqa: S608 - our own column names
            f"WHERE job_id = ? AND status IN ({marks}) RETURNING *",
            (*columns.values(), job_id, *leaving),
        )
        return _parse_job(row) if row else None


def _recipe_columns(recipe: Recipe) -> dict[str, Any]:
    return {
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "seeds": json.dumps(recipe.seeds),
        "width": recipe.width,
        "height": recipe.height,
        "num_inference_steps": recipe.num_inference_steps,
        "guidance_scale": recipe.guidance_scale,
        "sampler": recipe.sampler,
        "model": recipe.model,
        "preset": recipe.preset,
        "guidance_until": recipe.guidance_until,
    }


def _parse_job(row: Row) -> Job:
    return Job(
        job_id=row["job_id"],
        origin=Origin(
            user_id=row["user_id"],
            interaction_id=row["interaction_id"],
            token=row["token"],
            guild_id=row["guild_id"],
            channel_id=row["channel_id"],
            bot_in_channel=bool(row["bot_in_channel"]),
            parent_channel_id=row["parent_channel_id"],
            age_restricted=bool(row["age_restricted"]),
        ),
        recipe=Recipe(
            prompt=row["prompt"],
            negative_prompt=row["negative_prompt"],
            seeds=tuple(json.loads(row["seeds"])),
            width=row["width"],
            height=row["height"],
            num_inference_steps=row["num_inference_steps"],
            guidance_scale=_parse_real(row["guidance_scale"]),
            sampler=row["sampler"],
            model=row["model"],
            preset=row["preset"],
            guidance_until=float(row["guidance_until"]),
        ),
        status=JobStatus(row["status"]),
        cost_estimate=row["cost_estimate"],
        cost=row["cost"],
        accepted_at=row["accepted_at"],
        attempt=row["attempt"],
        message_id=row["message_id"],
        queued_at=row["queued_at"],
        started_at=row["started_at"],
        rendered_at=row["rendered_at"],
        ended_at=row["ended_at"],
        gpu_seconds=row["gpu_seconds"],
        cut_words=row["cut_words"],
        reason=row["reason"],
        spoiler=bool(row["spoiler"]),
        rule=row["rule"],
        rules_version=row["rules_version"],
        held_for=row["held_for"],
        weight=float(row["weight"]),
        approved_by=row["approved_by"],
        hidden=bool(row["hidden"]),
    )


def _parse_real(value: float | None) -> float | None:
    """RETURNING gives a whole number in a REAL column as an integer (SQLite 3.40)."""
    return None if value is None else float(value)


def _picture_row(job_id: int, file: PictureFile) -> tuple[Any, ...]:
    verdict = file.verdict or PanelVerdict(nsfw_content_detected=None, shown=True)
    detected = verdict.nsfw_content_detected
    shown, score = verdict.shown, verdict.nsfw_score
    return job_id, file.panel, file.path, file.sha256, detected, shown, score


def _parse_picture(row: Row) -> PictureFile:
    detected = row["nsfw_content_detected"]
    verdict = PanelVerdict(
        None if detected is None else bool(detected),
        bool(row["shown"]),
        _parse_real(row["nsfw_score"]),
    )
    return PictureFile(row["panel"], row["path"], row["sha256"], verdict if row["panel"] else None)
