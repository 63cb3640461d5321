"""Turns rows of the job and picture tables into the values of ``bot/domain``, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from bot.domain.jobs import Job, JobStatus, Origin, Share, Source
from bot.domain.pictures import ENLARGED, PanelVerdict, PictureFile
from bot.domain.recipes import Recipe, StartPicture
from bot.store.database import Row
from bot.texts.reasons import Reason, recall


def compose_next_id(table: str, column: str) -> str:
    """Return SQL for a new row's id. It is higher than all ids in the table and all lost ids."""
    last = f"(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_{column}')"  # noqa: S608
    most = f"(SELECT max({column}) FROM {table})"  # noqa: S608 - our own names
    return f"max(coalesce({most}, 0), coalesce({last}, 0)) + 1"


def format_recipe(recipe: Recipe) -> str:
    return json.dumps(asdict(recipe), ensure_ascii=False, allow_nan=False)


def parse_recipe(text: str) -> Recipe:
    """Read the parts of a recipe that this version knows: see ``Recipe.is_newer``."""
    values = json.loads(text)
    start = values["start"]
    values["start"] = start and StartPicture(**_keep_known(StartPicture, start))
    values["seeds"] = tuple(values["seeds"])
    return Recipe(**_keep_known(Recipe, values))


def _keep_known(kind: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def format_reason(name: str, reason: Reason | None) -> dict[str, str]:
    """Return the two columns of a reason."""
    code, params = ("", {}) if reason is None else (str(reason.code), reason.params)
    text = json.dumps(params, ensure_ascii=False, allow_nan=False, default=asdict)
    return {f"{name}_code": code, f"{name}_params": text}


def parse_reason(name: str, row: Row) -> Reason | None:
    code = row[f"{name}_code"]
    return recall(code, json.loads(row[f"{name}_params"])) if code else None


def parse_job(row: Row, shares: tuple[Share, ...] = ()) -> Job:
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
            locale=row["locale"],
            guild_locale=row["guild_locale"],
        ),
        recipe=parse_recipe(row["recipe"]),
        status=JobStatus(row["status"]),
        cost_estimate=row["cost_estimate"],
        cost=row["cost"],
        accepted_at=row["accepted_at"],
        attempt=row["attempt"],
        engines_lost=row["engines_lost"],
        message_id=row["message_id"],
        queued_at=row["queued_at"],
        started_at=row["started_at"],
        rendered_at=row["rendered_at"],
        ended_at=row["ended_at"],
        gpu_seconds=row["gpu_seconds"],
        engine=row["engine"],
        cut_words=row["cut_words"],
        cut_negative_words=row["cut_negative_words"],
        reason=parse_reason("reason", row),
        spoiler=bool(row["spoiler"]),
        rule=row["rule"],
        rules_version=row["rules_version"],
        is_held=bool(row["is_held"]),
        held_for=parse_reason("held", row),
        weight=float(row["weight"]),
        approved_by=row["approved_by"],
        hidden=bool(row["hidden"]),
        end_notified=bool(row["end_notified"]),
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
        shares=shares,
    )


def parse_real(value: float | None) -> float | None:
    """Return a float. In SQLite 3.40, RETURNING gives whole numbers as integers."""
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
        panel,
        row["path"],
        row["sha256"],
        verdict if 0 < panel <= ENLARGED else None,
        row["num_bytes"],
    )
