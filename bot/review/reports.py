"""Takes reports. After enough reports, a job's pictures are hidden until a moderator decides."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from bot.domain.audit import AuditAction, compose_entry
from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Job, JobStatus
from bot.domain.review import Card, CardKind, Decision
from bot.domain.rules import MINORS
from bot.errors import UserError
from bot.images.store import PictureWriter
from bot.jobs.ports import Delivery, Hidden, Messenger, NotPosted, Undeliverable
from bot.ops.logs import of_job
from bot.policy.prompts import has_review
from bot.review.cards import ReviewCards
from bot.store import Repositories
from bot.texts import review as texts
from bot.texts.catalog import speaking
from bot.texts.reasons import own_words

log = logging.getLogger(__name__)

MAX_REPORTS_PER_DAY = 10
_DAY_SECONDS = 86400.0


class Reports:
    """Takes one report per member and job. The job's card shows how many reports there are."""

    def __init__(
        self,
        store: Repositories,
        review_cards: ReviewCards,
        messenger: Messenger,
        writer: PictureWriter,
        now: Callable[[], float],
    ) -> None:
        self._jobs = store.jobs
        self._cards = store.cards
        self._audit = store.audit
        self._settings = store.settings
        self._review_cards = review_cards
        self._messenger = messenger
        self._writer = writer
        self._now = now
        # the numbers of the cards whose pictures are already hidden in the message
        self._shown_hidden: set[int] = set()

    async def find(self, message_id: int, guild_id: int | None) -> Job:
        """Find the job whose pictures a message shows. Raises UserError."""
        job = await self._jobs.fetch_by_message(message_id)
        if job is None or guild_id is None or job.origin.guild_id != guild_id:
            raise UserError(texts.NOT_OUR_PICTURES())
        await self._fetch_settings(job)
        return await self._check(job)

    async def take(self, job_id: int, reporter_id: int, reason: str, guild_id: int | None) -> None:
        """Save a report, and hide the pictures if there are enough. Raises UserError."""
        job, now = await self._jobs.fetch_job(job_id), self._now()
        if job is None or guild_id is None or job.origin.guild_id != guild_id:
            raise UserError(texts.NOT_OUR_PICTURES())
        settings = await self._fetch_settings(job)
        entry = compose_entry(
            AuditAction.REPORTED, job, now, actor_id=reporter_id, reason=own_words(reason)
        )
        is_sealed = await self._review_cards.is_job_sealed(job)
        if is_sealed:
            entry = replace(entry, prompt="", rule=MINORS)
        async with self._jobs.transaction():
            await self._check(await self._jobs.fetch_job(job_id) or job)
            lately = await self._cards.count_reports_by(guild_id, reporter_id, now - _DAY_SECONDS)
            if lately >= MAX_REPORTS_PER_DAY:
                raise UserError(texts.TOO_MANY_REPORTS(count=MAX_REPORTS_PER_DAY))
            card = await self._cards.open_for_job(
                CardKind.REPORT,
                guild_id=guild_id,
                member_id=job.origin.user_id,
                job_id=job_id,
                now=now,
            )
            report = await self._cards.add_report(
                card, reporter_id=reporter_id, reason=reason, now=now
            )
            if report is None:
                raise UserError(texts.REPORTED_TWICE())
            count = len(await self._cards.list_reports(card.card_id))
            # Moderators may not look at sealed pictures, so one report is enough to hide them.
            if is_sealed or count >= settings.reports_to_hide:
                await self._jobs.mark_hidden(job_id, hidden=True)
            await self._audit.add(entry)
        of_job(log, job_id).info("was reported; reports so far: %s", count)
        await self.show_hidden(card)
        await self._review_cards.show(card.card_id)

    async def show_hidden(self, card: Card) -> bool:
        """Hide an open card's pictures if its job is hidden. Return False if Discord is away."""
        job = None if card.job_id is None else await self._jobs.fetch_job(card.job_id)
        if job is None or not job.hidden or card.card_id in self._shown_hidden:
            return True
        try:
            await self._messenger.progress(job, Hidden())
        except NotPosted as error:
            of_job(log, job.job_id).warning("the reported message could not be hidden: %s", error)
            if not isinstance(error, Undeliverable):
                return False
        self._shown_hidden.add(card.card_id)
        return True

    async def settle(self, card: Card) -> bool | None:
        """Restore or remove the pictures and tell the reporters; None if Discord is away.

        Returns whether a moderator has to delete the message by hand. The card then says so.
        """
        assert card.job_id is not None
        job = await self._jobs.fetch_job(card.job_id)
        by_hand = False if job is None else await self._show_outcome(job)
        if by_hand is None:
            return None
        self._shown_hidden.discard(card.card_id)
        text = texts.REPORT_RESTORED if card.decision is Decision.RESTORE else texts.REPORT_REMOVED
        with speaking(None if job is None else job.origin.shown_locale):
            said = text()
        for report in await self._cards.list_reports(card.card_id):
            try:
                nonce = f"report-{report.report_id}"
                await self._messenger.write_to(report.reporter_id, said, nonce)
            except NotPosted as error:
                log.info(
                    "card %s: a reporter got no message about the decision: %s", card.card_id, error
                )
        return by_hand

    async def _show_outcome(self, job: Job) -> bool | None:
        """Show the decision in the message. Returns the same as ``settle``."""
        try:
            if job.hidden:
                # this comes first, because editing the message may fail
                await self._writer.remove(job.job_id)
                await self._messenger.progress(job, Hidden(is_removed=True))
            else:
                await self._restore(job)
        except Undeliverable as error:
            of_job(log, job.job_id).warning("the reported message cannot be reached: %s", error)
            return job.hidden
        except NotPosted:
            return None
        return False

    async def _restore(self, job: Job) -> None:
        files = await self._jobs.list_pictures(job.job_id)
        paths = await self._writer.locate(files)
        if paths is None:
            raise Undeliverable("its files are gone")
        delivery = Delivery.of(files, paths)
        await self._messenger.deliver(job, delivery, can_repost=False)

    async def _fetch_settings(self, job: Job) -> GuildSettings:
        """Fetch the settings. Raises UserError if no moderator would see a report."""
        origin = job.origin
        settings = await self._settings.fetch(
            origin.guild_id, origin.channel_id, origin.parent_channel_id
        )
        if not has_review(origin, settings):
            raise UserError(texts.NOBODY_SEES_REPORT())
        return settings

    async def _check(self, job: Job) -> Job:
        if job.status is not JobStatus.DELIVERED:
            raise UserError(texts.NOT_OUR_PICTURES())
        if job.hidden and await self._cards.fetch_open(job.job_id) is None:
            raise UserError(texts.REMOVED_ALREADY())
        return job
