"""Decides what happens to pictures, from the picture check and the settings of the channel."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.domain.audit import AuditAction, AuditEntry, member_of, text_of
from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Job, Origin
from bot.domain.pictures import PanelVerdict
from bot.domain.rules import Outcome
from bot.moderation import PictureCheck
from bot.policy.prompts import PromptGate, has_review
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_UNCHECKED = because(Code.PICTURES_UNCHECKED)
_FLAGGED = because(Code.PICTURES_FLAGGED)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision about pictures.

    spoiler: whether to cover them. held_for: why a moderator must decide first.
    """

    verdicts: tuple[PanelVerdict, ...]
    spoiler: bool = False
    held_for: Reason | None = None


class PictureJudge:
    """Runs the picture check with the settings of the server and channel of a job."""

    def __init__(self, check: PictureCheck, gate: PromptGate) -> None:
        self._check = check
        self._gate = gate

    async def judge(
        self, job: Job, images: NDArray[np.uint8], found: Sequence[bool | None]
    ) -> Judgement:
        """Judge uint8 (N, H, W, 3) RGB. found: the verdicts of the model's checker, in order."""
        settings, recipe = await self._gate.fetch_settings(job.origin), job.recipe
        threshold = choose_threshold(self._check.threshold, settings, job.origin)
        behind = await self._gate.look_behind(recipe.start, recipe.model)
        if behind.edits_sent:  # whatever the server has loosened
            threshold = min(threshold, self._check.threshold) / 2
        judging = self._check.judge(job.job_id, images, found, threshold)
        verdicts = await asyncio.wrap_future(judging)
        action = settings.picture_action
        if action is Outcome.SPOILER and (behind.edits_sent or not job.origin.age_restricted):
            # A spoiler shows more than a refusal, so it is only for age-restricted channels, and
            # never for an edited picture of somebody who may not know of it.
            action = Outcome.REFUSE
        return weigh(verdicts, action, has_review(job.origin, settings))

    async def judge_drawn(
        self, job: Job, images: NDArray[np.uint8], found: Sequence[bool | None]
    ) -> Judgement:
        """Judge pictures that were drawn. A server may have all pictures of a model reviewed."""
        judgement = await self.judge(job, images, found)
        settings, model = await self._gate.fetch_settings(job.origin), job.recipe.model
        if judgement.held_for is not None or model not in settings.reviewed_models:
            return judgement
        hidden = tuple(replace(each, shown=False) for each in judgement.verdicts)
        return Judgement(hidden, judgement.spoiler, because(Code.MODEL_REVIEWED, model=model))


def choose_threshold(default: float, settings: GuildSettings, origin: Origin) -> float:
    """Choose the threshold. A server may loosen it only for age-restricted channels."""
    chosen = default if settings.nsfw_threshold is None else settings.nsfw_threshold
    return chosen if origin.age_restricted else min(chosen, default)


def weigh(verdicts: tuple[PanelVerdict, ...], action: Outcome, is_reviewed: bool) -> Judgement:
    """Decide about pictures. Unchecked ones are held if moderators can review them, else hidden."""
    if any(verdict.nsfw_score is None for verdict in verdicts):
        return Judgement(verdicts, held_for=_UNCHECKED if is_reviewed else None)
    if all(verdict.shown for verdict in verdicts):
        return Judgement(verdicts)
    if action is Outcome.HOLD and is_reviewed:
        return Judgement(verdicts, held_for=_FLAGGED)
    if action is Outcome.SPOILER:
        return Judgement(tuple(replace(each, shown=True) for each in verdicts), spoiler=True)
    return Judgement(verdicts)


def compose_picture_entry(job: Job, judgement: Judgement, now: float) -> AuditEntry | None:
    """Return the audit row for a decision about pictures; None if all may be shown."""
    if judgement.held_for:
        action = AuditAction.PICTURES_HELD
    elif judgement.spoiler:
        action = AuditAction.PICTURES_COVERED
    elif not all(verdict.shown for verdict in judgement.verdicts):
        action = AuditAction.PICTURES_HIDDEN
    else:
        return None
    scores = [verdict.nsfw_score for verdict in judgement.verdicts]
    return AuditEntry(
        action,
        now,
        guild_id=job.origin.guild_id,
        member_id=member_of(job),
        job_id=job.job_id,
        rule="picture check",
        prompt=text_of(job),
        reason=judgement.held_for,
        new_value=", ".join("unchecked" if each is None else f"{each:.3f}" for each in scores),
    )
