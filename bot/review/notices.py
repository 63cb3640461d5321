"""Tells members what was decided about them, why, until when, and how to appeal."""

from __future__ import annotations

import logging
from collections.abc import Callable

from bot.domain.review import Card, Decision
from bot.domain.rounds import Phrase, Round
from bot.jobs.ports import Messenger, NotPosted, Undeliverable
from bot.policy.appeals import compose_appeal
from bot.store import Repositories
from bot.texts import sanctions as texts
from bot.texts.catalog import Text, speaking
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, say

log = logging.getLogger(__name__)

Told = bool | None
"""Whether the member was told. None if Discord is away, so that a retry may work."""

_MESSAGE_MAX = 2000


def explain(what: Reason, why: str) -> Reason:
    """Add the reason that a moderator wrote, if there is one."""
    return because(Code.EXPLAINED, what=what, why=why) if why else what


class Notices:
    """Writes direct messages, in the language of the server."""

    def __init__(self, store: Repositories, messenger: Messenger, now: Callable[[], float]) -> None:
        self._sanctions = store.sanctions
        self._settings = store.settings
        self._messenger = messenger
        self._now = now

    async def tell_decided(self, card: Card) -> Told:
        """Tell a member how a card was decided, if the message of their job does not show it."""
        guild_id, member_id = card.guild_id, card.member_id
        match card.decision:
            case Decision.GRANT:
                return await self._tell_appealed(card, texts.APPEAL_GRANTED)
            case Decision.DENY:
                return await self._tell_appealed(card, texts.APPEAL_DENIED)
            case Decision.REMOVE:
                return await self.tell_removed(guild_id, member_id, card.job_id, card.reason)
            case Decision.STRIKE:
                await self.tell_removed(guild_id, member_id, card.job_id)
                return await self.tell_struck(guild_id, member_id, card.job_id)
            case Decision.SUSPEND:
                return await self.tell_suspended(guild_id, member_id)
        return True

    async def tell_phrase(self, card: Card) -> Told:
        """Tell a member whether their phrase joined the round, unless they took it back."""
        if card.decision in {Decision.SUSPEND, Decision.WITHDRAW}:
            return True
        is_approved = card.decision is Decision.APPROVE

        def compose(server: str) -> list[str]:
            text = texts.TOLD_PHRASE_JOINED if is_approved else texts.TOLD_PHRASE_REFUSED
            why = [texts.TOLD_WHY(reason=card.reason)] if card.reason else []
            return [text(server=server), *why]

        nonce = f"phrase-{card.phrase_id}"
        has_appeal = card.decision is Decision.REFUSE
        return await self._tell(
            card.guild_id, card.member_id, nonce, compose, has_appeal=has_appeal
        )

    async def tell_left_out(self, phrase: Phrase, why: Reason) -> Told:
        """Tell a member that a phrase is not in the picture, although it had joined the round."""

        def compose(server: str) -> list[str]:
            return [texts.TOLD_PHRASE_LEFT_OUT(server=server), texts.TOLD_WHY(reason=say(why))]

        nonce = f"left-out-{phrase.phrase_id}"
        has_appeal = why.code != Code.AUTHOR_WITHOUT_SHARE
        return await self._tell(
            phrase.guild_id, phrase.user_id, nonce, compose, has_appeal=has_appeal
        )

    async def tell_round_ended(self, round_: Round) -> Told:
        """Tell a starter why their round has ended, if the round's message cannot show it."""

        def compose(server: str) -> list[str]:
            why = texts.TOLD_WHY(reason=say(round_.reason))
            return [texts.TOLD_ROUND_ENDED(server=server), why]

        nonce = f"round-ended-{round_.round_id}"
        guild_id, member_id = round_.guild_id, round_.starter_id
        return await self._tell(guild_id, member_id, nonce, compose, has_appeal=False)

    async def tell_removed(
        self, guild_id: int, member_id: int, job_id: int | None, why: str = ""
    ) -> Told:
        """Tell a member that a moderator removed their pictures."""

        def compose(server: str) -> list[str]:
            lines = [texts.TOLD_REMOVED(server=server, job_id=job_id)]
            return [*lines, texts.TOLD_WHY(reason=why)] if why else lines

        return await self._tell(guild_id, member_id, f"removed-{job_id}", compose)

    async def tell_struck(self, guild_id: int, member_id: int, job_id: int | None = None) -> Told:
        """Tell a member about a strike, and about the suspension if it led to one.

        job_id: the job for which the strike was given. None means the newest strike that was given
        with a command.
        """
        now = self._now()
        strikes = await self._sanctions.list_strikes(guild_id, member_id, now)
        strike = next((each for each in reversed(strikes) if each.job_id == job_id), None)
        if strike is None:
            return True
        limit = (await self._settings.fetch(guild_id)).strikes_to_suspend
        suspension = await self._sanctions.fetch_suspension_of(guild_id, member_id, now)
        is_newest = strike == strikes[-1]
        follows = is_newest and suspension is not None and suspension.given_at >= strike.given_at

        def compose(server: str) -> list[str]:
            lines = [
                texts.TOLD_STRUCK(server=server, lapses_at=strike.lapses_at),
                texts.TOLD_WHY(reason=say(strike.reason)),
                texts.TOLD_STRIKES(count=len(strikes), limit=limit),
            ]
            if suspension is not None and follows:
                lines.append(texts.TOLD_SUSPENDED(server=server, ends_at=suspension.ends_at))
            return lines

        nonce = f"strike-{strike.strike_id}"
        return await self._tell(guild_id, member_id, nonce, compose, has_button=follows)

    async def tell_strike_removed(self, guild_id: int, member_id: int, strike_id: int) -> Told:
        """Tell a member that a strike does not count any more."""

        def compose(server: str) -> list[str]:
            return [texts.TOLD_STRIKE_REMOVED(server=server, strike_id=strike_id)]

        nonce = f"unstruck-{strike_id}"
        return await self._tell(guild_id, member_id, nonce, compose, has_appeal=False)

    async def tell_suspended(self, guild_id: int, member_id: int) -> Told:
        """Tell a member about their current suspension, if there is one."""
        now = self._now()
        suspension = await self._sanctions.fetch_suspension_of(guild_id, member_id, now)
        if suspension is None:
            return True

        def compose(server: str) -> list[str]:
            until = texts.TOLD_SUSPENDED(server=server, ends_at=suspension.ends_at)
            return [until, texts.TOLD_WHY(reason=say(suspension.reason))]

        nonce = f"suspended-{suspension.suspension_id}"
        return await self._tell(guild_id, member_id, nonce, compose, has_button=True)

    async def tell_lifted(self, guild_id: int, member_id: int) -> Told:
        """Tell a member that their suspension has ended early."""

        def compose(server: str) -> list[str]:
            return [texts.TOLD_LIFTED(server=server)]

        nonce = f"lifted-{self._now():.0f}"
        return await self._tell(guild_id, member_id, nonce, compose, has_appeal=False)

    async def _tell_appealed(self, card: Card, text: Text) -> Told:
        def compose(server: str) -> list[str]:
            lines = [text(server=server)]
            return [*lines, texts.TOLD_WHY(reason=card.reason)] if card.reason else lines

        nonce = f"appeal-{card.card_id}"
        return await self._tell(card.guild_id, card.member_id, nonce, compose, has_appeal=False)

    async def _tell(
        self,
        guild_id: int,
        member_id: int,
        nonce: str,
        compose: Callable[[str], list[str]],
        *,
        has_appeal: bool = True,
        has_button: bool = False,
    ) -> Told:
        """Send a direct message to a member.

        has_appeal: whether to say how to appeal. has_button: whether to mention the Appeal button,
        if the server has a review channel.
        """
        if not member_id:  # the pictures of a round; its message tells everybody
            return True
        settings = await self._settings.fetch(guild_id)
        with speaking(self._messenger.find_locale(guild_id)):
            lines = compose(self._messenger.find_guild_name(guild_id) or texts.A_SERVER())
            if has_button and settings.review_channel_id is not None:
                lines.append(texts.TOLD_BUTTON())
            if has_appeal:
                lines.append(say(compose_appeal(settings)))
        try:
            await self._messenger.write_to(member_id, "\n".join(lines)[:_MESSAGE_MAX], nonce)
        except NotPosted as error:
            log.info("direct message %s did not reach the member: %s", nonce, error)
            return False if isinstance(error, Undeliverable) else None
        return True
