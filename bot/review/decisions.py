"""Carries out decisions by moderators and by deadlines. For each card, the first one counts."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from bot.domain.audit import AuditAction, AuditEntry, compose_entry
from bot.domain.jobs import Job, JobStatus
from bot.domain.review import AGAINST_MEMBER, CHOICES, SHOWING, Card, CardKind, Decision
from bot.domain.rounds import PhraseStatus
from bot.errors import UserError
from bot.jobs.queue.waitlist import Waitlist
from bot.ops.chores import Apart
from bot.ops.locks import KeyedLocks
from bot.policy.appeals import compose_appeal
from bot.review.cards import ReviewCards
from bot.review.notices import Notices, explain
from bot.review.reports import Reports
from bot.review.sanctions import Sanctions
from bot.store import Repositories
from bot.texts import review as texts
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, own_words

log = logging.getLogger(__name__)

_REFUSED = because(Code.MODERATOR_REFUSED)
_EXPIRED = because(Code.NOT_REVIEWED_IN_TIME)
_ON_RECORD = {
    Decision.RESTORE: because(Code.PICTURES_RESTORED),
    Decision.REMOVE: because(Code.PICTURES_REMOVED),
    Decision.STRIKE: because(Code.PICTURES_REMOVED_WITH_STRIKE),
    Decision.GRANT: because(Code.APPEAL_GRANTED),
    Decision.DENY: because(Code.APPEAL_DENIED),
}
_ON_PHRASES = {
    Decision.APPROVE: AuditAction.PHRASE_APPROVED,
    Decision.REFUSE: AuditAction.REFUSED,
    Decision.SUSPEND: AuditAction.REFUSED,
    Decision.EXPIRE: AuditAction.EXPIRED,
}
_ENDS = {
    Decision.REFUSE: (JobStatus.REFUSED, AuditAction.REFUSED, _REFUSED),
    Decision.SUSPEND: (JobStatus.REFUSED, AuditAction.REFUSED, _REFUSED),
    Decision.EXPIRE: (JobStatus.EXPIRED, AuditAction.EXPIRED, _EXPIRED),
}


class Decisions:
    """Carries out decisions, and finishes those that a stop or an outage of Discord interrupted."""

    def __init__(
        self,
        store: Repositories,
        waitlist: Waitlist,
        review_cards: ReviewCards,
        reports: Reports,
        sanctions: Sanctions,
        notices: Notices,
        resume_delivery: Callable[[Job], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._jobs = store.jobs
        self._phrases = store.phrases
        self.refresh_rounds: Callable[[list[int]], Awaitable[None]] | None = None
        self._cards = store.cards
        self._audit = store.audit
        self._waitlist = waitlist
        self._review_cards = review_cards
        self._reports = reports
        self._sanctions = sanctions
        self._settings = store.settings
        self._notices = notices
        self._resume_delivery = resume_delivery
        self._now = now
        self._turns = KeyedLocks[int]()
        # cards that this process has decided, but whose jobs it has not passed on yet
        self._not_handed_over: set[int] = set()
        self._apart = Apart(now)
        self._is_fresh = False

    async def fetch_card(self, card_id: int, guild_id: int | None) -> Card:
        """Fetch an open card of this guild.

        Raises UserError if there is none, or if it is decided. The error says who decided.
        """
        card = await self._cards.fetch(card_id)
        if card is None or card.guild_id != guild_id:
            raise UserError(texts.NOT_ON_RECORD())
        if card.decision is not None:
            raise UserError(_say_late(card))
        return card

    async def decide(
        self,
        card_id: int,
        decision: Decision,
        moderator_id: int,
        guild_id: int | None,
        reason: str = "",
    ) -> None:
        """Carry out a decision. Raises UserError if somebody decided first or the prompt is gone.

        reason: the moderator's own words; the member reads them.
        """
        card = await self.fetch_card(card_id, guild_id)
        if decision not in CHOICES[card.kind]:
            raise UserError(texts.NOT_A_CHOICE())
        is_sealed = await self._review_cards.is_sealed(card)
        if is_sealed and decision in SHOWING:
            raise UserError(texts.SEALED_CHOICE())
        if decision in AGAINST_MEMBER and not card.member_id:
            raise UserError(because(Code.SEVERAL_AUTHORS))
        if await self._decide(card, decision, moderator_id, reason) is None:
            await self.fetch_card(card_id, guild_id)

    async def _decide(
        self, card: Card, decision: Decision, moderator_id: int, reason: str = ""
    ) -> Card | None:
        """Lock the card and decide it. Without the lock, ``sweep`` might tell people too."""
        async with self._turns[card.card_id]:
            decided = await self._book(card, decision, moderator_id, reason)
            if decided is not None:
                log.info("card %s: %s by %s", card.card_id, decision, moderator_id)
                self._not_handed_over.add(card.card_id)
                await self._settle(decided, is_fresh=True)
        return decided

    async def _book(
        self, card: Card, decision: Decision, moderator_id: int, reason: str
    ) -> Card | None:
        """Save the decision, its effects and its audit row in one transaction."""
        async with self._jobs.transaction():
            decided = await self._cards.mark_decided(
                card.card_id, decision, decided_by=moderator_id, now=self._now(), reason=reason
            )
            if decided is None:
                return None
            if decided.kind is CardKind.HELD:
                await self._decide_held(decided, decision)
            elif decided.kind is CardKind.REPORT:
                await self._decide_report(decided, decision)
            elif decided.kind is CardKind.APPEAL:
                await self._decide_appeal(decided, decision)
            elif decided.kind is CardKind.PHRASE:
                await self._decide_phrase(decided, decision)
            else:
                await self._note_rules(decided)
        return decided

    async def _settle_late(self, card_id: int) -> None:
        """Tell everybody about a decision that a stop or an outage of Discord interrupted."""
        async with self._turns[card_id]:
            card = await self._cards.fetch(card_id)
            if card is not None and card.decision is not None and card.settled_at is None:
                await self._settle(card, is_fresh=card_id in self._not_handed_over)

    async def _decide_held(self, card: Card, decision: Decision) -> None:
        assert card.job_id is not None
        by, now, why = card.decided_by, self._now(), None
        if decision in _ENDS:
            status, action, end = _ENDS[decision]
            why = explain(end, card.reason)
            told = await self._add_appeal(card, why) if by else why
            job = await self._jobs.mark_ended(
                card.job_id, status, reason=told, now=now, leaving=[JobStatus.HELD]
            )
        else:
            is_covered = decision is Decision.COVER
            action = AuditAction.APPROVED_COVERED if is_covered else AuditAction.APPROVED
            job = await self._jobs.mark_approved(
                card.job_id, approved_by=by, spoiler=is_covered, now=now
            )
        if job is None:
            raise UserError(texts.TAKEN_BACK())
        await self._audit.add(compose_entry(action, job, now, actor_id=by, reason=why))
        if decision is Decision.SUSPEND:
            why = explain(because(Code.SUSPENDED_FOR_REFUSED), card.reason)
            await self._sanctions.suspend(
                card.guild_id, card.member_id, by=by, reason=why, job_id=card.job_id
            )

    async def _add_appeal(self, card: Card, what: Reason) -> Reason:
        settings = await self._settings.fetch(card.guild_id)
        return because(Code.WITH_APPEAL, what=what, appeal=compose_appeal(settings))

    async def _decide_report(self, card: Card, decision: Decision) -> None:
        assert card.job_id is not None
        by, now = card.decided_by, self._now()
        job = await self._jobs.mark_hidden(card.job_id, hidden=decision is not Decision.RESTORE)
        if job is None:
            raise UserError(texts.PICTURES_GONE())
        reason = explain(_ON_RECORD[decision], card.reason)
        await self._audit.add(
            compose_entry(AuditAction.REPORT_DECIDED, job, now, actor_id=by, reason=reason)
        )
        if decision is Decision.STRIKE:
            why = explain(because(Code.STRUCK_FOR_REPORTED), card.reason)
            await self._sanctions.strike(
                card.guild_id, card.member_id, by=by, reason=why, job_id=card.job_id
            )

    async def _decide_appeal(self, card: Card, decision: Decision) -> None:
        by, now = card.decided_by, self._now()
        await self._audit.add(
            AuditEntry(
                AuditAction.APPEAL_DECIDED,
                now,
                guild_id=card.guild_id,
                actor_id=by,
                member_id=card.member_id,
                reason=explain(_ON_RECORD[decision], card.reason),
            )
        )
        if decision is Decision.GRANT:
            await self._sanctions.end_all(
                card.guild_id, card.member_id, by=by, reason=_ON_RECORD[decision]
            )

    async def _decide_phrase(self, card: Card, decision: Decision) -> None:
        assert card.phrase_id is not None
        by, now = card.decided_by, self._now()
        if decision is Decision.APPROVE:
            held = (PhraseStatus.HELD,)
            phrase = await self._phrases.mark(
                card.phrase_id, PhraseStatus.JOINED, leaving=held, now=now
            )
        else:
            phrase = await self._phrases.mark_refused(card.phrase_id)
        if phrase is None:
            raise UserError(texts.PHRASE_GONE())
        await self._audit.add(
            AuditEntry(
                _ON_PHRASES[decision],
                now,
                guild_id=card.guild_id,
                actor_id=by,
                member_id=card.member_id,
                prompt=phrase.text,
                reason=own_words(card.reason) if card.reason else None,
                new_value=str(phrase.round_id),
            )
        )
        if decision is Decision.SUSPEND:
            why = explain(because(Code.SUSPENDED_FOR_REFUSED), card.reason)
            await self._sanctions.suspend(card.guild_id, card.member_id, by=by, reason=why)

    async def _note_rules(self, card: Card) -> None:
        entry = AuditEntry(
            AuditAction.RULES_NOTED, self._now(), guild_id=card.guild_id, actor_id=card.decided_by
        )
        await self._audit.add(entry)

    async def _settle(self, card: Card, *, is_fresh: bool) -> None:
        """Tell everybody what was decided. is_fresh: False after a restart, because ``Recovery``
        then passes the job on.
        """
        by_hand: bool | None = False
        if card.kind is CardKind.HELD:
            is_told = await self._settle_held(card, is_fresh=is_fresh)
        elif card.kind is CardKind.REPORT:
            by_hand = await self._reports.settle(card)
            is_told = by_hand is not None
        elif card.kind is CardKind.PHRASE:
            is_told = await self._settle_phrase(card)
        else:
            is_told = True
        if is_told:
            is_told = await self._notices.tell_decided(card) is not None
        self._not_handed_over.discard(card.card_id)
        if is_told:
            await self._review_cards.settle(card.card_id, delete_by_hand=bool(by_hand))

    async def _settle_phrase(self, card: Card) -> bool:
        phrase = None if card.phrase_id is None else await self._phrases.fetch(card.phrase_id)
        if phrase is not None and self.refresh_rounds is not None:
            await self.refresh_rounds([phrase.round_id])
        return await self._notices.tell_phrase(card) is not None

    async def _settle_held(self, card: Card, *, is_fresh: bool) -> bool:
        assert card.job_id is not None
        job = await self._jobs.fetch_job(card.job_id)
        if job is None:
            return True
        if job.status in {JobStatus.REFUSED, JobStatus.EXPIRED}:
            self._waitlist.use.refund(job.job_id)
            return await self._review_cards.tell_ended(job)
        if is_fresh and job.status is JobStatus.QUEUED:
            self._waitlist.enqueue(job)
        elif is_fresh and job.status is JobStatus.RENDERED:
            await self._resume_delivery(job)
        return True

    async def look_after(self) -> None:
        """Run one round of the chore. If the bot stops meanwhile, the next start finishes the work.

        The first round also refreshes open cards. If this fails, ``sweep`` waits for the next
        round. Raises SomeFailed.
        """
        if not self._is_fresh:
            await self._refresh()
        await self.sweep()

    async def sweep(self) -> None:
        """Post missing cards, close expired ones, and send messages that are still due.

        Raises SomeFailed when all others are done.
        """
        jobs = await self._cards.list_held_without_card()
        phrases = await self._phrases.list_held_without_card()
        cards = await self._cards.list_unsettled_ids()
        held = {f"job {job_id}": partial(self._open_card, job_id) for job_id in jobs}
        known = {f"card {card_id}": partial(self._look_at, card_id) for card_id in cards}
        new = {f"phrase {number}": partial(self._open_phrase, number) for number in phrases}
        await self._apart.run({**held, **new, **known})

    async def _open_phrase(self, phrase_id: int) -> None:
        phrase = await self._phrases.fetch(phrase_id)
        if phrase is not None:
            await self._review_cards.hold_phrase(phrase)

    async def _open_card(self, job_id: int) -> None:
        job = await self._jobs.fetch_job(job_id)
        if job is not None:
            await self._review_cards.hold(job)

    async def _look_at(self, card_id: int) -> None:
        card = await self._cards.fetch(card_id)
        if card is None:
            return
        if card.decision is not None:
            await self._settle_late(card.card_id)
        elif await self._is_gone(card):
            await self._review_cards.close(card, Decision.WITHDRAW)
            await self._settle_late(card.card_id)
        elif card.expires_at is not None and card.expires_at <= self._now():
            await self._expire(card)
        else:
            await self._show_open(card)

    async def _expire(self, card: Card) -> None:
        try:
            await self._decide(card, Decision.EXPIRE, 0)
        except UserError as error:  # the member had already cancelled the prompt
            log.info(
                "card %s did not expire, because it was already closed: %s", card.card_id, error
            )

    async def _show_open(self, card: Card) -> None:
        if card.kind is CardKind.REPORT:
            async with self._turns[card.card_id]:
                present = await self._cards.fetch(card.card_id)
                if present is not None and present.decision is None:
                    await self._reports.show_hidden(present)
        if card.message_id is None:
            await self._review_cards.show(card.card_id)

    async def _is_gone(self, card: Card) -> bool:
        """Return whether a held job or phrase has ended. Its card may be open after a stop."""
        if card.phrase_id is not None:
            phrase = await self._phrases.fetch(card.phrase_id)
            return phrase is None or phrase.status is not PhraseStatus.HELD
        if card.kind is not CardKind.HELD or card.job_id is None:
            return False
        job = await self._jobs.fetch_job(card.job_id)
        return job is None or job.status is not JobStatus.HELD

    async def _refresh(self) -> None:
        """Post deleted cards again. Hide reported pictures that a stop has left visible."""
        cards = await self._cards.list_unsettled_ids()
        self._is_fresh = True
        refresh = {f"card {card_id}": partial(self._refresh_card, card_id) for card_id in cards}
        await self._apart.run(refresh)

    async def _refresh_card(self, card_id: int) -> None:
        card = await self._cards.fetch(card_id)
        if card is None or card.decision is not None:
            return
        # Leave deleted cards that will expire. But replace a card whose words nobody may see.
        if card.expires_at is None or await self._review_cards.is_sealed(card):
            await self._reports.show_hidden(card)
            await self._review_cards.show(card.card_id)


def _say_late(card: Card) -> str:
    if card.decision is None or not card.decided_by:
        return texts.CLOSED()
    return texts.FIRST[card.decision](by=card.decided_by)
