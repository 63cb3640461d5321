"""The discord.py side of the port: first answers, edits, deliveries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import aiohttp
import discord

from bot import replies, replies_review
from bot.cases import Case
from bot.jobs.port import Delivery, Hidden, Undeliverable, Unreachable, Update
from bot.records import Job

if TYPE_CHECKING:
    from bot.client import TriptychClient

log = logging.getLogger(__name__)
T = TypeVar("T")
MISSING: Any = discord.utils.MISSING
_Files = list[discord.File]
_Content = tuple[discord.ui.LayoutView, _Files]

ACKNOWLEDGE_SECONDS = 2.5  # Discord allows 3
TOKEN_USE_SECONDS = 14 * 60  # Discord allows 15 minutes
SEND_SECONDS = 60.0
RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)

ALREADY_ACKNOWLEDGED = 40060
_FINAL_STATUSES = {400, 401, 403, 404, 413}
_PASSING_FAULTS = (aiohttp.ClientError, OSError, TimeoutError)


class InteractionCaller:
    """A member whose interaction still waits for its first answer."""

    def __init__(self, interaction: discord.Interaction[TriptychClient]) -> None:
        self._interaction = interaction

    async def acknowledge(self, job: Job) -> int | None:
        """Defer in public: the message that will move."""
        for attempt in (1, 2):
            try:
                async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                    response = await self._interaction.response.defer(thinking=True)
            except discord.HTTPException as error:
                if error.code == ALREADY_ACKNOWLEDGED:  # by the first attempt
                    return None
                if error.status in _FINAL_STATUSES:
                    raise Undeliverable(str(error)) from error
                if attempt == 2:
                    raise Unreachable(str(error)) from error
            except _PASSING_FAULTS as error:
                if attempt == 2:
                    raise Unreachable(f"Discord did not answer: {error!r}") from error
            else:
                return response.message_id if response else None
        raise AssertionError("unreachable")

    async def refuse(self, reason: str, *, can_appeal: bool = False) -> None:
        """Answer only to the member."""
        if can_appeal:
            view = replies_review.compose_suspended(reason)
            await self._interaction.response.send_message(view=view, ephemeral=True)
        else:
            await self._interaction.response.send_message(reason, ephemeral=True)


class DiscordMessenger:
    """Reaches a job's message by its token, then by the bot itself, then with a new message.

    The next way is tried only where the one before is closed for good: an edit that got no answer
    may have been applied, and a new message beside it would be a second one.
    """

    def __init__(self, client: TriptychClient, now: Callable[[], float]) -> None:
        self._client = client
        self._now = now

    async def progress(self, job: Job, update: Update) -> int | None:
        """Edit the job's message."""
        files = [] if isinstance(update, Hidden) else MISSING
        return await self._edit(job, lambda: (replies.compose_update(job, update), files))

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        """Edit the grid into the job's message, or else post a new one that names the author."""
        name = f"triptych-{job.job_id}.png"
        alt_text = replies.describe_grid(job, delivery)

        def compose() -> _Content:
            file = discord.File(
                delivery.grid, filename=name, description=alt_text, spoiler=job.spoiler
            )
            return replies.compose_delivery(job, delivery, file.filename), [file]

        try:
            return await self._edit(job, compose)
        except Undeliverable:
            if not can_repost:
                raise
            return await self._send(job, compose)

    async def tell(self, job: Job, text: str) -> None:
        """A direct message that names the prompt."""
        await self.write_to(job.origin.user_id, f"{text}\n> {replies.quote(job.recipe.prompt)}")

    async def write_to(self, user_id: int, text: str) -> None:
        """A direct message."""

        async def send() -> None:
            channel = await self._client.create_dm(discord.Object(user_id))
            await channel.send(text)

        await _send_with_retry(f"user {user_id}", send)

    async def show_card(self, case: Case, channel_id: int) -> int:
        """Post the card, once, or edit it."""
        channel = self._client.get_partial_messageable(channel_id)
        card = case.card

        async def send() -> int:
            view, files = replies_review.compose_card(case)
            if card.message_id is not None:
                message = channel.get_partial_message(card.message_id)
                return (await message.edit(view=view, attachments=files)).id
            nonce = f"card-{card.card_id}"
            return (await channel.send(view=view, files=files, nonce=nonce)).id

        return await _send_with_retry(f"card {card.card_id}", send)

    async def _edit(self, job: Job, compose: Callable[[], _Content]) -> int | None:
        fault = Undeliverable("no way to its message is left")
        for route in self._list_routes(job):
            try:
                return await _send_with_retry(
                    f"job {job.job_id}", lambda route=route: route(*compose())
                )
            except Undeliverable as error:
                fault = error
        raise fault

    def _list_routes(self, job: Job) -> list[Callable[..., Awaitable[int]]]:
        origin, message_id = job.origin, job.message_id
        routes: list[Callable[..., Awaitable[int]]] = []
        token, application_id = origin.token, self._client.application_id
        age_seconds = self._now() - job.accepted_at
        if token and application_id and age_seconds < TOKEN_USE_SECONDS:

            async def edit_by_token(view: discord.ui.LayoutView, files: _Files) -> int:
                webhook = discord.Webhook.partial(application_id, token, client=self._client)
                original = cast(int, "@original")
                return (await webhook.edit_message(original, view=view, attachments=files)).id

            routes.append(edit_by_token)
        channel_id = origin.channel_id
        if channel_id and message_id and origin.bot_in_channel:

            async def edit_as_bot(view: discord.ui.LayoutView, files: _Files) -> int:
                channel = self._client.get_partial_messageable(channel_id)
                message = channel.get_partial_message(message_id)
                return (await message.edit(view=view, attachments=files)).id

            routes.append(edit_as_bot)
        return routes

    async def _send(self, job: Job, compose: Callable[[], _Content]) -> int:
        origin = job.origin
        if origin.channel_id is None or not origin.bot_in_channel:
            raise Undeliverable("its message is gone and Triptych cannot post in that channel")
        channel = self._client.get_partial_messageable(origin.channel_id)
        author = discord.AllowedMentions(users=[discord.Object(origin.user_id)])

        async def send() -> int:
            view, files = compose()
            message = await channel.send(
                view=view, files=files, nonce=f"job-{job.job_id}", allowed_mentions=author
            )
            return message.id

        return await _send_with_retry(f"job {job.job_id}", send)


async def _send_with_retry(what: str, send: Callable[[], Awaitable[T]]) -> T:
    """discord.py retries neither resets nor timeouts. Raises Undeliverable, or Unreachable."""
    fault: Exception | None = None
    for delay_seconds in (0.0, *RETRY_DELAYS_SECONDS):
        await asyncio.sleep(delay_seconds)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await send()
        except discord.HTTPException as error:
            if error.status in _FINAL_STATUSES:
                raise Undeliverable(str(error)) from error
            fault = error
        except _PASSING_FAULTS as error:
            fault = error
        log.info("%s: Discord did not take it, trying again: %r", what, fault)
    raise Unreachable(f"Discord could not be reached: {fault!r}") from fault
