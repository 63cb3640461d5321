"""Starts, closes and cancels rounds when people ask for it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Origin
from bot.domain.recipes import StartPicture
from bot.domain.rounds import (
    MAX_MINUTES,
    MAX_PHRASES_EACH,
    MAX_THEME_LENGTH,
    MIN_MINUTES,
    Round,
    RoundAsk,
    RoundState,
    RoundStatus,
)
from bot.domain.rules import Outcome, Verdict
from bot.errors import StoreError, UserError, WorkerUnavailable
from bot.jobs.refusals import Refusals
from bot.moderation.text import clean_prompt
from bot.policy.admission import find_admission_refusal
from bot.policy.prompts import PromptGate, has_review
from bot.recipes.derive import VARY_STRENGTH
from bot.rounds.board import Board
from bot.rounds.room import Prompts
from bot.store import Repositories
from bot.store.patience import in_time
from bot.texts.codes import Code
from bot.texts.faults import RECORD_GONE
from bot.texts.reasons import Reason, because

log = logging.getLogger(__name__)

_MIN_WORDS = 4  # a theme must leave room for so many words of phrases
_CANCELLED = because(Code.ROUND_CANCELLED)
_RUNNING = (RoundStatus.OPEN, RoundStatus.ASKING, RoundStatus.DRAWING, RoundStatus.VOTING)
CancelJob = Callable[[Round], Awaitable[None]]
"""Ends the job of a cancelled round, unless its pictures are posted."""


class Rounds:
    """Starts and ends rounds. Each change is saved first; the message shows it a moment later."""

    def __init__(
        self,
        store: Repositories,
        gate: PromptGate,
        refusals: Refusals,
        prompts: Prompts,
        board: Board,
        cancel_job: CancelJob,
        now: Callable[[], float],
    ) -> None:
        self._rounds = store.rounds
        self._jobs = store.jobs
        self._audit = store.audit
        self._gate = gate
        self._refusals = refusals
        self._prompts = prompts
        self._board = board
        self._cancel_job = cancel_job
        self._now = now

    async def start(self, ask: RoundAsk, origin: Origin) -> Round:
        """Open a round in this channel. Raises UserError, or StoreError if it cannot be saved."""
        if not self._jobs.is_in_place():
            raise StoreError(RECORD_GONE())
        ask = replace(ask, theme=clean_prompt(ask.theme))
        settings = await self._gate.fetch_settings(origin)
        refusal = _find_refusal(ask) or _find_place_refusal(origin, settings)
        refusal = refusal or find_admission_refusal(origin, settings, self._now())
        refusal = refusal or _find_review_refusal(origin, settings)
        suspended = await self._gate.find_suspended(origin)
        if suspended is not None:
            refusal = suspended.reason
        if refusal is not None:
            raise UserError(refusal)
        model = self._prompts.choose_model(origin, settings)
        await self._check_style(ask, origin, model)
        ask, start = await self._find_start(ask, origin)
        self._refusals.check(origin)
        await self._judge_theme(ask.theme, origin, settings, start, model)
        round_ = await self._insert(ask, origin, settings, model, start)
        log.info("user %s started round %s", origin.user_id, round_.round_id)
        self._board.refresh(round_)
        return round_

    async def _check_style(self, ask: RoundAsk, origin: Origin, model: str | None) -> None:
        """Raise UserError if there is no such style, or no room for phrases beside the theme."""
        style, guild_id = ask.style or "", origin.guild_id
        assert guild_id is not None
        if style:
            await self._prompts.check_style(style, guild_id)
        room = await self._prompts.fetch_room(style, guild_id, model)
        if room is not None and room.count_words_left(ask.theme, ()) < _MIN_WORDS:
            raise UserError(because(Code.THEME_NO_ROOM))

    async def _find_start(
        self, ask: RoundAsk, origin: Origin
    ) -> tuple[RoundAsk, StartPicture | None]:
        """Find the winning picture to start from, and take over its size. Raises UserError."""
        if ask.previous is None:
            return ask, None
        before = await self._rounds.fetch(ask.previous)
        job_id = None if before is None else before.job_id
        job = None if job_id is None else await self._jobs.fetch_job(job_id)
        is_here = before is not None and before.guild_id == origin.guild_id
        if before is None or job is None or before.winner is None or not is_here:
            raise UserError(because(Code.NO_WINNER))
        if job.hidden or job.deleted_at is not None:
            raise UserError(because(Code.NO_WINNER))
        start = StartPicture(job.job_id, before.winner, VARY_STRENGTH)
        if ask.width is None and ask.height is None:
            ask = replace(ask, width=job.recipe.width, height=job.recipe.height)
        return ask, start

    async def _judge_theme(
        self,
        theme: str,
        origin: Origin,
        settings: GuildSettings,
        start: StartPicture | None,
        model: str | None,
    ) -> None:
        # If all prompts are reviewed, a moderator sees the whole prompt before it is drawn.
        settings = replace(settings, review_everything=False)
        try:
            async with in_time():
                verdict = await self._gate.judge(origin, theme, "", settings, start, model)
        except WorkerUnavailable:
            raise UserError(because(Code.RESTARTING)) from None
        why = verdict.reason or because(Code.UNEXPLAINED)
        if verdict.outcome is Outcome.REFUSE:
            self._refusals.book(origin)
            await self._record(AuditAction.THEME_REFUSED, origin, theme, verdict)
            raise UserError(why)
        if verdict.outcome is Outcome.HOLD:
            raise UserError(because(Code.THEME_NEEDS_REVIEW, why=why))

    async def _record(
        self,
        action: AuditAction,
        origin: Origin,
        theme: str,
        verdict: Verdict | None = None,
        number: str = "",
    ) -> None:
        entry = AuditEntry(
            action,
            self._now(),
            guild_id=origin.guild_id,
            actor_id=0 if verdict else origin.user_id,
            member_id=origin.user_id,
            prompt=theme,
            new_value=number,
        )
        if verdict is not None:
            named = {"rule": verdict.rule, "rules_version": verdict.rules_version}
            entry = replace(entry, reason=verdict.reason, **named)
        await self._audit.add(entry)

    async def _insert(
        self,
        ask: RoundAsk,
        origin: Origin,
        settings: GuildSettings,
        model: str | None,
        start: StartPicture | None,
    ) -> Round:
        assert origin.guild_id is not None and origin.channel_id is not None
        is_anonymous = ask.is_anonymous
        if is_anonymous is None:
            is_anonymous = settings.rounds_anonymous
        async with self._rounds.transaction():
            if await self._rounds.count_running(origin.guild_id) >= settings.max_rounds:
                raise UserError(because(Code.ROUNDS_AT_ONCE, count=settings.max_rounds))
            round_ = await self._rounds.insert(
                ask,
                origin,
                now=self._now(),
                is_anonymous=is_anonymous,
                model=model,
                start=start,
            )
            if round_ is None:
                raise UserError(because(Code.ROUND_RUNS_HERE))
            number = str(round_.round_id)
            await self._record(AuditAction.ROUND_STARTED, origin, ask.theme, number=number)
        return round_

    async def close(self, round_id: int, guild_id: int, by: int) -> Round:
        """Take no more phrases. The chore then draws those that it has. Raises UserError."""
        round_ = await self._require(round_id, guild_id)
        async with self._rounds.transaction():
            due = await self._rounds.mark_due(round_id, self._now())
            if due is None:
                raise UserError(because(Code.ROUND_NOT_OPEN))
            await self._record_decision(AuditAction.ROUND_CLOSED, round_, by)
        return due

    async def draw_anyway(self, round_id: int, guild_id: int, by: int) -> Round:
        """Draw a round although fewer than two people took part. Raises UserError."""
        await self._require(round_id, guild_id)
        confirmed = await self._rounds.mark_confirmed(round_id)
        if confirmed is None:
            raise UserError(because(Code.ROUND_NOT_ASKING))
        log.info("user %s wants round %s drawn", by, round_id)
        return confirmed

    async def cancel(self, round_id: int, guild_id: int, by: int) -> Round:
        """End a round without a winner. Posted pictures stay. Raises UserError."""
        round_ = await self._require(round_id, guild_id)
        async with self._rounds.transaction():
            cancelled = await self._rounds.mark_over(
                round_id,
                RoundStatus.CANCELLED,
                reason=_CANCELLED,
                now=self._now(),
                leaving=_RUNNING,
            )
            if cancelled is None:
                raise UserError(because(Code.ROUND_OVER))
            await self._record_decision(AuditAction.ROUND_CANCELLED, round_, by)
        await self._cancel_job(cancelled)
        self._board.refresh(cancelled)
        return cancelled

    async def _record_decision(self, action: AuditAction, round_: Round, by: int) -> None:
        await self._audit.add(
            AuditEntry(
                action,
                self._now(),
                guild_id=round_.guild_id,
                actor_id=by,
                member_id=round_.starter_id or None,
                new_value=str(round_.round_id),
            )
        )

    async def _require(self, round_id: int, guild_id: int | None) -> Round:
        round_ = await self._rounds.fetch(round_id)
        if round_ is None or round_.guild_id != guild_id:
            raise UserError(because(Code.ROUND_UNKNOWN))
        return round_

    async def fetch(self, round_id: int, guild_id: int | None) -> RoundState:
        """Return all that a round's message shows. Raises UserError."""
        await self._require(round_id, guild_id)
        state = await self._board.compose(round_id)
        if state is None:
            raise UserError(because(Code.ROUND_UNKNOWN))
        return state

    async def find_in_channel(self, channel_id: int) -> Round | None:
        """Return the round of a channel that is not over, or None."""
        return await self._rounds.fetch_running(channel_id)

    async def list_history(
        self, guild_id: int, *, before: int | None = None, limit: int = 10
    ) -> list[RoundState]:
        """List a server's rounds with a winner, newest first."""
        found = await self._rounds.list_history(guild_id, before=before, limit=limit)
        states = [await self._board.compose(each.round_id) for each in found]
        return [each for each in states if each is not None]


def _find_refusal(ask: RoundAsk) -> Reason | None:
    """Return why this round cannot be started anywhere, or None."""
    if not ask.theme:
        return because(Code.THEME_EMPTY)
    if len(ask.theme) > MAX_THEME_LENGTH:
        return because(Code.THEME_TOO_LONG, length=len(ask.theme), most=MAX_THEME_LENGTH)
    if not MIN_MINUTES <= ask.minutes <= MAX_MINUTES:
        return because(Code.ROUND_MINUTES, least=MIN_MINUTES, most=MAX_MINUTES)
    if not 1 <= ask.phrases_each <= MAX_PHRASES_EACH:
        return because(Code.ROUND_PHRASES_EACH, least=1, most=MAX_PHRASES_EACH)
    return None


def _find_place_refusal(origin: Origin, settings: GuildSettings) -> Reason | None:
    """Return why this member may not start a round here, or None."""
    if origin.guild_id is None or origin.channel_id is None or not origin.bot_in_channel:
        return because(Code.ROUND_NEEDS_BOT)
    if not settings.rounds_on:
        return because(Code.ROUNDS_OFF)
    channels, roles = settings.round_channel_ids, settings.round_role_ids
    if channels and {origin.channel_id, origin.parent_channel_id}.isdisjoint(channels):
        return because(Code.ROUND_OTHER_CHANNELS, channels=[f"<#{each}>" for each in channels])
    if roles and set(origin.role_ids).isdisjoint(roles):
        return because(Code.ROUND_OTHER_ROLES, roles=[f"<@&{each}>" for each in roles])
    return None


def _find_review_refusal(origin: Origin, settings: GuildSettings) -> Reason | None:
    """Return why no moderator could approve the prompt, or None if one can or need not."""
    if has_review(origin, settings) or not (settings.review_rounds or settings.review_everything):
        return None
    code = Code.EVERYTHING_REVIEWED if settings.review_everything else Code.ROUND_REVIEWED
    return because(Code.NO_REVIEW_HERE, why=because(code))
