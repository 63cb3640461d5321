"""Opens, posts and updates cards for moderators. Cards are saved before they are posted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bot.domain.audit import AuditAction, compose_entry
from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Job, JobStatus
from bot.domain.review import Card, CardKind, Case, Decision
from bot.domain.rounds import Phrase, PhraseStatus, Round
from bot.domain.rules import MINORS, GuildRule
from bot.images.store import PictureWriter
from bot.jobs.ports import InReview, Messenger, NotPosted, Undeliverable
from bot.jobs.status_messages import StatusMessages
from bot.ops.locks import KeyedLocks
from bot.policy.prompts import PromptGate
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

_HOUR_SECONDS = 3600.0
_HOLDING = {CardKind.HELD, CardKind.PHRASE}


class ReviewCards:
    """Opens cards, and makes them show what the database says."""

    def __init__(
        self,
        store: Repositories,
        status_messages: StatusMessages,
        messenger: Messenger,
        writer: PictureWriter,
        gate: PromptGate,
        now: Callable[[], float],
    ) -> None:
        self._jobs = store.jobs
        self._cards = store.cards
        self._sanctions = store.sanctions
        self._audit = store.audit
        self._settings = store.settings
        self._rules = store.rules
        self._rounds = store.rounds
        self._phrases = store.phrases
        self._status_messages = status_messages
        self._messenger = messenger
        self._writer = writer
        self._gate = gate
        self._now = now
        self._turns = KeyedLocks[int]()
        self._closed_channels: dict[int, int] = {}
        # for each card, the moderators who have seen its pictures
        self._seen: set[tuple[int, int]] = set()

    async def hold(self, job: Job) -> None:
        """Ask the moderators about a held job, and tell its member."""
        origin, now = job.origin, self._now()
        assert origin.guild_id is not None  # only prompts in servers are held
        settings = await self._fetch_settings(job)
        async with self._jobs.transaction():  # the job may have changed, so look again
            present = await self._jobs.fetch_job(job.job_id)
            if present is None or present.status is not JobStatus.HELD:
                return
            card = await self._cards.open_for_job(
                CardKind.HELD,
                guild_id=origin.guild_id,
                member_id=origin.user_id,
                job_id=job.job_id,
                now=now,
                expires_at=now + settings.review_hours * _HOUR_SECONDS,
            )
        self._status_messages.post(job, InReview())
        await self.show(card.card_id)

    async def hold_phrase(self, phrase: Phrase) -> None:
        """Ask the moderators about a held phrase, at most until its round closes."""
        now = self._now()
        async with self._jobs.transaction():  # the phrase may have changed just before this
            present = await self._phrases.fetch(phrase.phrase_id)
            round_ = await self._rounds.fetch(phrase.round_id)
            if present is None or round_ is None or present.status is not PhraseStatus.HELD:
                return
            settings = await self._settings.fetch(phrase.guild_id)
            card = await self._cards.open_for_phrase(
                phrase.phrase_id,
                guild_id=phrase.guild_id,
                member_id=phrase.user_id,
                now=now,
                expires_at=min(now + settings.review_hours * _HOUR_SECONDS, round_.closes_at),
            )
        await self.show(card.card_id)

    async def withdraw(self, job: Job) -> None:
        """Close the card of a held job that its member has cancelled."""
        await self._writer.remove(job.job_id)
        card = await self._cards.fetch_open(job.job_id)
        if card is not None and await self.close(card, Decision.WITHDRAW):
            await self.settle(card.card_id)

    async def close(self, card: Card, decision: Decision) -> Card | None:
        """Close a card without a moderator's decision; None if a moderator decided first."""
        return await self._cards.mark_decided(card.card_id, decision, decided_by=0, now=self._now())

    async def show(self, card_id: int, *, delete_by_hand: bool = False) -> bool:
        """Post the card or update it. Return whether it is now shown as it should be.

        Only one call runs at a time, so that a card is posted once. If this fails, ``Decisions``
        tries again.
        """
        async with self._turns[card_id]:
            card = await self._cards.fetch(card_id)
            if card is None:  # the card may just have expired
                return True
            try:
                await self._show(card, delete_by_hand)
            except Undeliverable as error:
                log.warning("card %s cannot be posted: %s", card_id, error)
                if card.kind in _HOLDING and card.decision is None:
                    await self._refuse_unseen(card)
            except NotPosted as error:
                log.info("card %s could not be posted and is tried again: %s", card_id, error)
                return False
        return True

    async def note_posted(self, card: Card, channel_id: int, message_id: int) -> None:
        """Save where a card was posted. Called if the bot stopped before it could save this."""
        await self._cards.mark_posted(card.card_id, channel_id=channel_id, message_id=message_id)

    async def settle(self, card_id: int, *, delete_by_hand: bool = False) -> None:
        """Show how a card was decided. Called after everybody else was told."""
        self._seen = {each for each in self._seen if each[0] != card_id}
        if await self.show(card_id, delete_by_hand=delete_by_hand):
            await self._cards.mark_settled(card_id, now=self._now())

    async def compose_case(self, card: Card) -> Case:
        """Collect all that the card shows now. Raises WorkerUnavailable if the bot is stopping."""
        job = None if card.job_id is None else await self._jobs.fetch_job(card.job_id)
        is_sealed = job is not None and await self.is_job_sealed(job)
        picture = None
        if job is not None and card.decision is None and not is_sealed:
            path = next(iter((await self.locate_pictures(job)).values()), None)
            picture = None if path is None else await self._writer.blur(path)
        number = card.suspension_id
        suspension = None if number is None else await self._sanctions.fetch_suspension(number)
        strikes = await self._sanctions.list_strikes(card.guild_id, card.member_id, self._now())
        reports = tuple(await self._cards.list_reports(card.card_id))
        beyond = await self._list_beyond(card) if card.kind is CardKind.RULES else ()
        phrase, round_ = await self._fetch_phrase(card)
        return Case(
            card,
            job,
            suspension,
            reports,
            len(strikes),
            picture,
            beyond,
            is_sealed=is_sealed,
            phrase=phrase,
            theme="" if round_ is None else round_.theme,
        )

    async def _fetch_phrase(self, card: Card) -> tuple[Phrase | None, Round | None]:
        phrase = None if card.phrase_id is None else await self._phrases.fetch(card.phrase_id)
        return phrase, None if phrase is None else await self._rounds.fetch(phrase.round_id)

    async def is_job_sealed(self, job: Job) -> bool:
        """Return whether nobody may see a prompt and its pictures. If so, mark the job's row."""
        is_sealed = await self._gate.is_sealed(job)
        if is_sealed and job.rule != MINORS:
            await self._jobs.mark_sealed(job.job_id)
        return is_sealed

    async def is_sealed(self, card: Card) -> bool:
        """Return whether nobody may see what a card is about."""
        job = None if card.job_id is None else await self._jobs.fetch_job(card.job_id)
        return job is not None and await self.is_job_sealed(job)

    async def locate_pictures(self, job: Job) -> dict[str, Path | None]:
        """Find the pictures of a job that a moderator has to see, by name: grid and start picture.

        None for a file that is gone.
        """
        found: dict[str, Path | None] = {}
        if job.rendered_at is not None:
            found["grid"] = await self._writer.locate_grid(job.job_id)
        if (start := job.recipe.start) is not None:
            source = start.job_id or job.job_id
            found["start"] = await self._writer.locate_start(source, start.panel)
        return found

    def note_seen(self, card_id: int, moderator_id: int) -> None:
        """Remember, until the bot stops, that a moderator has seen a card's pictures and words."""
        self._seen.add((card_id, moderator_id))

    async def has_seen(self, card: Card, moderator_id: int, *, is_bare: bool = False) -> bool:
        """Return whether a moderator has seen what the card hides.

        Cards hide pictures and, if ``is_bare`` is set, words. If a card hides nothing, it counts as
        seen.
        """
        job = None if card.job_id is None else await self._jobs.fetch_job(card.job_id)
        if card.phrase_id is not None:
            return not is_bare or (card.card_id, moderator_id) in self._seen
        if job is None or not (is_bare or await self.locate_pictures(job)):
            return True
        return (card.card_id, moderator_id) in self._seen

    async def _list_beyond(self, card: Card) -> tuple[GuildRule, ...]:
        found = await self._rules.fetch_beyond(card.guild_id)
        rule_ids = () if found is None else found.rule_ids
        rules = await self._rules.list_rules(card.guild_id)
        return tuple(each for each in rules if each.rule_id in rule_ids)

    async def _show(self, card: Card, delete_by_hand: bool) -> None:
        case = replace(await self.compose_case(card), delete_by_hand=delete_by_hand)
        channel_id = card.channel_id
        if channel_id is None:
            if card.decision is not None:  # the job ended before the card could be posted
                return
            channel_id = await self._find_channel(case)
            if self._closed_channels.get(card.card_id) == channel_id:
                return
        try:
            message_id = await self._messenger.show_card(case, channel_id)
        except Undeliverable:
            if card.message_id is None or card.decision is not None:
                self._closed_channels[card.card_id] = channel_id
                raise
            unposted = replace(case, card=replace(card, message_id=None))  # the message was deleted
            message_id = await self._messenger.show_card(unposted, channel_id)
        await self._cards.mark_posted(card.card_id, channel_id=channel_id, message_id=message_id)

    async def _find_channel(self, case: Case) -> int:
        settings = await self._settings.fetch(case.card.guild_id)
        if case.job is not None:
            settings = await self._fetch_settings(case.job)
        if settings.review_channel_id is None:
            raise Undeliverable("no review channel is set")
        return settings.review_channel_id

    async def _fetch_settings(self, job: Job) -> GuildSettings:
        origin = job.origin
        return await self._settings.fetch(
            origin.guild_id, origin.channel_id, origin.parent_channel_id
        )

    async def _refuse_unseen(self, card: Card) -> None:
        """Refuse a prompt whose card nobody can see, and tell its member."""
        if card.message_id is not None:
            return  # the card was posted and then deleted; the deadline will close it
        if card.phrase_id is not None:
            async with self._jobs.transaction():
                if await self.close(card, Decision.UNSEEN) is not None:
                    await self._phrases.mark_refused(card.phrase_id)
        if card.job_id is None:
            return
        async with self._jobs.transaction():
            if await self.close(card, Decision.UNSEEN) is None:
                return
            ended = await self._jobs.mark_ended(
                card.job_id,
                JobStatus.REFUSED,
                reason=because(Code.CARD_NOT_POSTED),
                now=self._now(),
                leaving=[JobStatus.HELD],
            )
            if ended is not None:
                await self._audit.add(compose_entry(AuditAction.REFUSED, ended, self._now()))
        await self._cards.mark_settled(card.card_id, now=self._now())
        if ended is not None:
            await self._writer.remove(ended.job_id)
            await self._status_messages.finish(ended)

    async def tell_ended(self, job: Job) -> bool:
        """Tell a held job's member how it ended. Return False if this must be tried again."""
        await self._writer.remove(job.job_id)
        return job.end_notified or await self._status_messages.try_finish(
            job
        )  # after a stop, ``Recovery`` may have sent the message already
