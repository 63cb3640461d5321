"""Between rows of the job and picture tables and the records that the other rooms know."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.jobs import Job, JobStatus, Origin, Source
from bot.domain.pictures import PanelVerdict, PictureFile
from bot.domain.recipes import Recipe, StartPicture
from bot.store.database import Row


def compose_next_id(table: str, column: str) -> str:
    """SQL for a new row's id: after all that are there, and all that a restored record has lost."""
    last = f"(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_{column}')"  # noqa: S608
    most = f"(SELECT max({column}) FROM {table})"  # noqa: S608 - our own names
    return f"max(coalesce({most}, 0), coalesce({last}, 0)) + 1"


def recipe_columns(recipe: Recipe) -> dict[str, Any]:
    start = recipe.start
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
        "start_job_id": start.job_id if start else None,
        "start_panel": start.panel if start else None,
        "strength": start.strength if start else None,
        "start_num_doublings": start.num_doublings if start else 0,
    }


def parse_job(row: Row) -> Job:
    return Job(
        job_id=row["job_id"],
        origin=Origin(
            source=Source(row["source"]),
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
            guidance_scale=parse_real(row["guidance_scale"]),
            sampler=row["sampler"],
            model=row["model"],
            preset=row["preset"],
            guidance_until=float(row["guidance_until"]),
            start=parse_start(row),
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
        is_held=bool(row["is_held"]),
        held_for=row["held_for"],
        weight=float(row["weight"]),
        approved_by=row["approved_by"],
        hidden=bool(row["hidden"]),
        told=bool(row["told"]),
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
    )


def parse_start(row: Row) -> StartPicture | None:
    if row["strength"] is None:
        return None
    return StartPicture(
        row["start_job_id"],
        row["start_panel"],
        float(row["strength"]),
        row["start_num_doublings"],
    )


def parse_real(value: float | None) -> float | None:
    """RETURNING gives a whole number in a REAL column as an integer (SQLite 3.40)."""
    return None if value is None else float(value)


def picture_row(job_id: int, file: PictureFile) -> tuple[Any, ...]:
    verdict = file.verdict or PanelVerdict(nsfw_content_detected=None, shown=True)
    detected = verdict.nsfw_content_detected
    shown, score = verdict.shown, verdict.nsfw_score
    return job_id, file.panel, file.path, file.sha256, detected, shown, score, file.num_bytes


def parse_picture(row: Row) -> PictureFile:
    detected = row["nsfw_content_detected"]
    verdict = PanelVerdict(
        None if detected is None else bool(detected),
        bool(row["shown"]),
        parse_real(row["nsfw_score"]),
    )
    panel = row["panel"]
    return PictureFile(
        panel, row["path"], row["sha256"], verdict if panel else None, row["num_bytes"]
    )
