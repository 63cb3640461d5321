"""Takes phrases for rounds, and votes for them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Origin
from bot.domain.rounds import (
    MAX_PHRASE_LENGTH,
    Ballot,
    Choosing,
    Phrase,
    PhraseStatus,
    Round,
    RoundStatus,
)
from bot.domain.rules import Outcome, Verdict
from bot.errors import UserError, WorkerUnavailable
from bot.jobs.refusals import Refusals
from bot.moderation.text import clean_prompt, normalise
from bot.ops.locks import KeyedLocks
from bot.policy.admission import compose_quota, find_admission_refusal
from bot.policy.prompts import PromptGate
from bot.review.cards import ReviewCards
from bot.review.sanctions import Sanctions
from bot.rounds.board import Board, hide_authors
from bot.rounds.prompts import compose_company
from bot.rounds.room import Prompts
from bot.store import Repositories
from bot.store.patience import in_time
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, own_words

log = logging.getLogger(__name__)

MAX_PHRASES = 500
"""The most phrases in one round."""

_FEW_WORDS = 1  # a round that takes all phrases is full if fewer words than this fit
_NEWEST = 400  # so many phrases are read; they nearly always fill ``MAX_COMPANY``
_OPEN = (PhraseStatus.HELD, PhraseStatus.JOINED)
_EDGES = " ,.;"  # signs that are cut off both ends, because they only separate phrases


class Phrases:
    """Judges each phrase alone and together with the others, saves it, and only then returns it.

    The phrases of one round are judged one at a time, each together with all phrases before it.
    """

    def __init__(
        self,
        store: Repositories,
        gate: PromptGate,
        refusals: Refusals,
        prompts: Prompts,
        board: Board,
        review_cards: ReviewCards,
        sanctions: Sanctions,
        now: Callable[[], float],
    ) -> None:
        self._rounds = store.rounds
        self._phrases = store.phrases
        self._audit = store.audit
        self._settings = store.settings
        self._gate = gate
        self._refusals = refusals
        self._prompts = prompts
        self._board = board
        self._review_cards = review_cards
        self._sanctions = sanctions
        self._now = now
        self._turns = KeyedLocks[int]()
        # by round: phrases that were judged but are not saved yet
        self._joining: defaultdict[int, list[str]] = defaultdict(list)

    async def add(self, round_id: int, text: str, origin: Origin) -> Phrase:
        """Add a phrase, which joins the round or waits for a moderator. Raises UserError."""
        text = clean_prompt(clean_prompt(text).strip(_EDGES))
        round_ = await self._require_open(round_id, origin.guild_id)
        origin = replace(
            origin, channel_id=round_.channel_id, parent_channel_id=round_.parent_channel_id
        )
        settings = await self._gate.fetch_settings(origin)
        await self._check(round_, text, origin, settings)
        self._refusals.check(origin)
        async with self._judging(round_, text) as company:
            verdict = await self._judge(round_, text, company, origin, settings)
            if verdict.outcome is Outcome.REFUSE:
                await self._refuse(round_, text, origin, verdict)
        try:
            phrase = await self._insert(round_, text, origin, settings, verdict)
        finally:
            self._leave(round_id, text)
        self._board.refresh(round_)
        if phrase.status is PhraseStatus.HELD:
            await self._review_cards.hold_phrase(phrase)
        else:
            await self._close_if_full(round_)
        return phrase

    @asynccontextmanager
    async def _judging(self, round_: Round, text: str) -> AsyncIterator[str]:
        """Yield the text in which to judge the phrase. Later phrases are judged with the phrase."""
        round_id = round_.round_id
        async with self._turns[round_id]:
            present = await self._phrases.list_newest(round_id, _NEWEST)
            others = [*present, *self._joining[round_id]]
            yield compose_company(round_.theme, others, text)
            self._joining[round_id].append(text)

    def _leave(self, round_id: int, text: str) -> None:
        self._joining[round_id].remove(text)
        if not self._joining[round_id]:
            del self._joining[round_id]

    async def _require_open(self, round_id: int, guild_id: int | None) -> Round:
        round_ = await self._rounds.fetch(round_id)
        if round_ is None or round_.guild_id != guild_id:
            raise UserError(because(Code.ROUND_UNKNOWN))
        if round_.status is not RoundStatus.OPEN or round_.closes_at <= self._now():
            raise UserError(because(Code.ROUND_NOT_OPEN))
        return round_

    async def _check(
        self, round_: Round, text: str, origin: Origin, settings: GuildSettings
    ) -> None:
        """Raise UserError if the phrase is refused for a reason other than rules."""
        if not text:
            raise UserError(because(Code.PHRASE_EMPTY))
        if len(text) > MAX_PHRASE_LENGTH:
            raise UserError(because(Code.PHRASE_TOO_LONG, length=len(text), most=MAX_PHRASE_LENGTH))
        refusal = find_admission_refusal(origin, settings, self._now())
        if compose_quota(settings, origin.role_ids).max_waiting == 0:
            refusal = refusal or because(Code.ROLES_MAY_NOT_WAIT)
        suspended = await self._gate.find_suspended(origin)
        if suspended is not None:
            refusal = suspended.reason
        refusal = refusal or await self._find_conflict(round_, text, origin.user_id)
        if refusal is not None:
            raise UserError(refusal)

    async def _find_conflict(self, round_: Round, text: str, user_id: int) -> Reason | None:
        """Return why the round has no place for this phrase, or None."""
        if await self._phrases.fetch_same(round_.round_id, normalise(text)):
            return because(Code.PHRASE_DOUBLE)
        counted = (*_OPEN, PhraseStatus.STRUCK)
        own = await self._phrases.list_of_round(round_.round_id, *counted, user_id=user_id)
        if len(own) >= round_.phrases_each:
            return because(Code.PHRASES_SPENT, count=round_.phrases_each)
        room = await self._prompts.fetch_room(round_.style, round_.guild_id, round_.model)
        beside: list[str] = []  # if votes decide, this phrase may be the only one
        if round_.choosing is Choosing.ALL:
            joined = await self._phrases.list_of_round(round_.round_id, PhraseStatus.JOINED)
            beside = [each.text for each in joined]
        if room is None or room.fits(round_.theme, [*beside, text]):
            return None
        count = room.count_words_left(round_.theme, beside)
        return because(Code.PHRASE_NO_ROOM, count=count)

    async def _judge(
        self, round_: Round, text: str, company: str, origin: Origin, settings: GuildSettings
    ) -> Verdict:
        # If all prompts are reviewed, a moderator sees the whole prompt before it is drawn.
        settings = replace(settings, review_everything=False)
        try:
            async with in_time():
                return await self._gate.judge_phrase(
                    origin, text, company, settings, round_.start, round_.model
                )
        except WorkerUnavailable:
            raise UserError(because(Code.RESTARTING)) from None

    async def _refuse(self, round_: Round, text: str, origin: Origin, verdict: Verdict) -> None:
        log.info("a phrase of user %s matched rule %r", origin.user_id, verdict.rule)
        self._refusals.book(origin)
        await self._record(
            AuditAction.PHRASE_REFUSED, round_, origin.user_id, text, verdict, verdict.reason
        )
        raise UserError(verdict.reason or because(Code.UNEXPLAINED))

    async def _insert(
        self,
        round_: Round,
        text: str,
        origin: Origin,
        settings: GuildSettings,
        verdict: Verdict,
    ) -> Phrase:
        quota = compose_quota(settings, origin.role_ids)
        is_held = verdict.outcome is Outcome.HOLD
        new = Phrase(
            0,
            round_.round_id,
            round_.guild_id,
            origin.user_id,
            text,
            PhraseStatus.HELD if is_held else PhraseStatus.JOINED,
            self._now(),
            weight=quota.weight or 1.0,
            max_cost_per_day=quota.max_cost_per_day,
        )
        async with self._phrases.transaction():
            phrase = await self._phrases.insert(
                new,
                key=normalise(text),
                verdict=verdict,
                now=self._now(),
                max_phrases=MAX_PHRASES,
            )
            if phrase is None:
                raise UserError(await self._explain_lost(round_, text, origin))
            if is_held:
                await self._record(
                    AuditAction.PHRASE_HELD, round_, origin.user_id, text, verdict, verdict.reason
                )
        return phrase

    async def _explain_lost(self, round_: Round, text: str, origin: Origin) -> Reason:
        """Find out what changed while the phrase was judged."""
        present = await self._rounds.fetch(round_.round_id)
        if present is None or present.status is not RoundStatus.OPEN:
            return because(Code.ROUND_NOT_OPEN)
        if present.closes_at <= self._now():
            return because(Code.ROUND_NOT_OPEN)
        suspended = await self._gate.find_suspended(origin)
        if suspended is not None and suspended.reason is not None:
            return suspended.reason
        conflict = await self._find_conflict(round_, text, origin.user_id)
        return conflict or because(Code.PHRASES_FULL, count=MAX_PHRASES)

    async def _close_if_full(self, round_: Round) -> None:
        """Take no more phrases if the prompt is full. The chore then closes the round."""
        room = await self._prompts.fetch_room(round_.style, round_.guild_id, round_.model)
        if round_.choosing is not Choosing.ALL or room is None:
            return
        joined = await self._phrases.list_of_round(round_.round_id, PhraseStatus.JOINED)
        if room.count_words_left(round_.theme, [each.text for each in joined]) < _FEW_WORDS:
            await self._rounds.mark_due(round_.round_id, self._now())

    async def withdraw(self, phrase_id: int, user_id: int) -> Phrase:
        """Take back one's own phrase. Raises UserError."""
        phrase = await self._phrases.fetch(phrase_id)
        if phrase is None:
            raise UserError(because(Code.PHRASE_UNKNOWN))
        if phrase.user_id != user_id:
            raise UserError(because(Code.PHRASE_NOT_YOURS))
        return await self._take_out(phrase, PhraseStatus.WITHDRAWN)

    async def _take_out(self, phrase: Phrase, status: PhraseStatus) -> Phrase:
        round_ = await self._require_open(phrase.round_id, phrase.guild_id)
        changed = await self._phrases.mark(phrase.phrase_id, status, leaving=_OPEN, now=self._now())
        if changed is None:
            raise UserError(because(Code.PHRASE_UNKNOWN))
        self._board.refresh(round_)
        return changed

    async def strike_out(
        self,
        phrase_id: int,
        guild_id: int,
        by: int,
        *,
        reason: str = "",
        gives_strike: bool = False,
    ) -> Phrase:
        """Take out a phrase for a moderator, and perhaps give its author a strike.

        The phrase, the audit row and the strike are saved in one transaction. Raises UserError.
        """
        phrase = await self._phrases.fetch(phrase_id)
        if phrase is None or phrase.guild_id != guild_id:
            raise UserError(because(Code.PHRASE_UNKNOWN))
        round_ = await self._require_open(phrase.round_id, guild_id)
        why = own_words(reason) if reason else because(Code.PHRASE_STRUCK)
        async with self._phrases.transaction():
            changed = await self._take_out(phrase, PhraseStatus.STRUCK)
            await self._record(
                AuditAction.PHRASE_STRUCK, round_, phrase.user_id, phrase.text, None, why, by
            )
            if gives_strike and phrase.user_id:
                await self._sanctions.strike(guild_id, phrase.user_id, by=by, reason=why)
        return changed

    async def fetch_author(self, phrase_id: int, guild_id: int) -> int:
        """Tell a moderator who added a phrase; 0 if that was deleted. Raises UserError."""
        phrase = await self._phrases.fetch(phrase_id)
        if phrase is None or phrase.guild_id != guild_id:
            raise UserError(because(Code.PHRASE_UNKNOWN))
        return phrase.user_id

    async def _record(
        self,
        action: AuditAction,
        round_: Round,
        member_id: int,
        text: str,
        verdict: Verdict | None,
        reason: Reason | None,
        by: int = 0,
    ) -> None:
        await self._audit.add(
            AuditEntry(
                action,
                self._now(),
                guild_id=round_.guild_id,
                actor_id=by,
                member_id=member_id or None,
                rule="" if verdict is None else verdict.rule,
                rules_version=0 if verdict is None else verdict.rules_version,
                prompt=text,
                reason=reason,
                new_value=str(round_.round_id),
            )
        )

    async def list_own(self, round_id: int, user_id: int) -> list[Phrase]:
        """List the phrases that a member can take back, oldest first."""
        return await self._phrases.list_of_round(round_id, *_OPEN, user_id=user_id)

    async def list_all(self, round_id: int, guild_id: int | None) -> list[Phrase]:
        """List the phrases that joined, oldest first. Raises UserError."""
        round_ = await self._rounds.fetch(round_id)
        if round_ is None or round_.guild_id != guild_id:
            raise UserError(because(Code.ROUND_UNKNOWN))
        joined = await self._phrases.list_of_round(round_id, PhraseStatus.JOINED)
        return hide_authors(round_, joined)

    async def list_ballots(self, round_id: int, user_id: int) -> list[Ballot]:
        """List the phrases that a member may vote for, oldest first. Raises UserError."""
        round_ = await self._rounds.fetch(round_id)
        if round_ is None:
            raise UserError(because(Code.ROUND_UNKNOWN))
        own_too = (await self._settings.fetch(round_.guild_id)).round_own_votes
        joined = await self._phrases.list_of_round(round_id, PhraseStatus.JOINED)
        chosen = await self._phrases.list_chosen_by(round_id, user_id)
        offered = [each for each in joined if own_too or each.user_id != user_id]
        hidden = hide_authors(round_, offered)
        return [Ballot(each, each.phrase_id in chosen) for each in hidden if each.text]

    async def vote(
        self,
        round_id: int,
        origin: Origin,
        *,
        chosen: Collection[int],
        among: Collection[int],
    ) -> int:
        """Save which phrases a member votes for. This replaces earlier votes for ``among``.

        Returns how many votes were saved. Raises UserError.
        """
        round_ = await self._require_open(round_id, origin.guild_id)
        suspended = await self._gate.find_suspended(origin)
        if suspended is not None:
            raise UserError(suspended.reason or because(Code.UNEXPLAINED))
        settings = await self._settings.fetch(round_.guild_id)
        count = await self._phrases.put_votes(
            round_id,
            origin.user_id,
            chosen=chosen,
            among=among,
            own_too=settings.round_own_votes,
            now=self._now(),
        )
        self._board.refresh(round_)
        return count
