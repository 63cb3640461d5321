"""Gives strikes, suspends members and takes appeals. Each action is a row of the audit log."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from bot.domain.audit import AuditAction, AuditEntry
from bot.domain.review import Strike, Suspension
from bot.errors import UserError
from bot.review.cards import ReviewCards
from bot.store import Repositories
from bot.texts import sanctions as texts
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because

log = logging.getLogger(__name__)

_DAY_SECONDS = 86400.0


class Sanctions:
    """Strikes and suspends members. ``by`` is the moderator, or 0 for Triptych itself."""

    def __init__(
        self,
        store: Repositories,
        review_cards: ReviewCards,
        now: Callable[[], float],
    ) -> None:
        self._sanctions = store.sanctions
        self._cards = store.cards
        self._audit = store.audit
        self._settings = store.settings
        self._phrases = store.phrases
        self._review_cards = review_cards
        self._now = now
        self.refresh_rounds: Callable[[list[int]], Awaitable[None]] | None = None

    async def list_strikes(self, guild_id: int, member_id: int) -> list[Strike]:
        """List the active strikes."""
        return await self._sanctions.list_strikes(guild_id, member_id, self._now())

    async def fetch_suspension(self, guild_id: int, member_id: int) -> Suspension | None:
        """Fetch the active suspension."""
        return await self._sanctions.fetch_suspension_of(guild_id, member_id, self._now())

    async def strike(
        self, guild_id: int, member_id: int, *, by: int, reason: Reason, job_id: int | None = None
    ) -> Suspension | None:
        """Give a strike. If the member now has too many, suspend them and return the suspension."""
        settings, now = await self._settings.fetch(guild_id), self._now()
        async with self._sanctions.transaction():
            strike = await self._sanctions.add_strike(
                guild_id,
                member_id,
                given_by=by,
                reason=reason,
                now=now,
                lapses_at=now + settings.strike_days * _DAY_SECONDS,
                job_id=job_id,
            )
            await self._record(
                AuditAction.STRUCK,
                guild_id,
                member_id,
                by,
                reason,
                job_id=job_id,
                new_value=json.dumps(
                    {"strike": strike.strike_id, "lapses_at": round(strike.lapses_at)}
                ),
            )
            count = len(await self.list_strikes(guild_id, member_id))
            if count < settings.strikes_to_suspend or await self.fetch_suspension(
                guild_id, member_id
            ):
                return None
            return await self.suspend(
                guild_id,
                member_id,
                by=0,
                days=settings.suspension_days,
                reason=because(Code.STRIKES, count=count, last=reason),
            )

    async def remove_strike(
        self, guild_id: int, member_id: int, strike_id: int, *, by: int
    ) -> None:
        """Remove a strike. Raises UserError if the member has no such strike."""
        async with self._sanctions.transaction():
            strike = await self._sanctions.mark_strike_removed(
                guild_id, member_id, strike_id, now=self._now()
            )
            if strike is None:
                raise UserError(texts.NO_SUCH_STRIKE(strike_id=strike_id))
            await self._record(
                AuditAction.STRIKE_REMOVED,
                guild_id,
                member_id,
                by,
                strike.reason,
                old_value=json.dumps({"strike": strike_id}),
            )

    async def suspend(
        self,
        guild_id: int,
        member_id: int,
        *,
        by: int,
        reason: Reason,
        days: int | None = None,
        job_id: int | None = None,
    ) -> Suspension:
        """Suspend a member for days, or for the server's default. A longer suspension stays.

        The member's phrases in open rounds are struck out.
        """
        if days is None:
            days = (await self._settings.fetch(guild_id)).suspension_days
        now = self._now()
        async with self._sanctions.transaction():
            present = await self.fetch_suspension(guild_id, member_id)
            if present is not None and present.ends_at >= now + days * _DAY_SECONDS:
                return present
            suspension = await self._sanctions.add_suspension(
                guild_id,
                member_id,
                given_by=by,
                reason=reason,
                now=now,
                ends_at=now + days * _DAY_SECONDS,
            )
            await self._record(
                AuditAction.SUSPENDED,
                guild_id,
                member_id,
                by,
                reason,
                job_id=job_id,
                new_value=json.dumps({"until": round(suspension.ends_at)}),
            )
            round_ids = await self._phrases.strike_out_member(guild_id, member_id)
        if round_ids and self.refresh_rounds is not None:
            await self.refresh_rounds(round_ids)
        log.info("member %s suspended in guild %s", member_id, guild_id)
        return suspension

    async def lift(self, guild_id: int, member_id: int, *, by: int, reason: Reason) -> None:
        """End every active suspension of a member. Raises UserError if there is none."""
        if not await self.end_all(guild_id, member_id, by=by, reason=reason):
            raise UserError(texts.NOT_SUSPENDED())

    async def end_all(self, guild_id: int, member_id: int, *, by: int, reason: Reason) -> bool:
        """End every active suspension of a member; return whether there was one."""
        async with self._sanctions.transaction():
            suspension = await self.fetch_suspension(guild_id, member_id)
            if suspension is None:
                return False
            while suspension is not None:
                await self._sanctions.mark_lifted(suspension.suspension_id, now=self._now())
                suspension = await self.fetch_suspension(guild_id, member_id)
            await self._record(AuditAction.SUSPENSION_LIFTED, guild_id, member_id, by, reason)
        return True

    async def check_appeal(self, guild_id: int, member_id: int) -> Suspension:
        """Find the suspension that a member may appeal. Raises UserError."""
        suspension = await self.fetch_suspension(guild_id, member_id)
        if suspension is None:
            raise UserError(texts.NO_SUSPENSION())
        if suspension.appealed_at is not None:
            raise UserError(texts.APPEALED_TWICE())
        if (await self._settings.fetch(guild_id)).review_channel_id is None:
            raise UserError(texts.NOBODY_SEES_APPEAL())
        return suspension

    async def appeal(self, guild_id: int, member_id: int, text: str) -> None:
        """Show an appeal to the moderators. Raises UserError."""
        suspension = await self.check_appeal(guild_id, member_id)
        async with self._sanctions.transaction():
            now = self._now()
            number = suspension.suspension_id
            if await self._sanctions.mark_appealed(number, text, now=now) is None:
                raise UserError(texts.APPEALED_TWICE())
            card = await self._cards.open_for_appeal(
                number, guild_id=guild_id, member_id=member_id, now=now
            )
            await self._record(
                AuditAction.APPEALED, guild_id, member_id, member_id, None, prompt=text
            )
        await self._review_cards.show(card.card_id)

    async def _record(
        self,
        action: AuditAction,
        guild_id: int,
        member_id: int,
        actor_id: int,
        reason: Reason | None,
        *,
        job_id: int | None = None,
        prompt: str = "",
        old_value: str = "",
        new_value: str = "",
    ) -> None:
        """Write an audit row. prompt: the member's own words, which are deleted with their data."""
        await self._audit.add(
            AuditEntry(
                action,
                self._now(),
                guild_id=guild_id,
                actor_id=actor_id,
                member_id=member_id,
                job_id=job_id,
                prompt=prompt,
                reason=reason,
                old_value=old_value,
                new_value=new_value,
            )
        )
