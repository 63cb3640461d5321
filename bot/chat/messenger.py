"""Implements the messenger port with discord.py: first answers, edits, deliveries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar, cast

import discord
import discord.http

from bot.chat.grids import SHAPES, Encoded, make_files
from bot.chat.retries import (
    PASSING_FAULTS,
    SEND_SECONDS,
    TextRefused,
    UnknownMessage,
    Unwelcome,
    choose_kind,
    explain,
    is_final,
    send_with_retry,
)
from bot.chat.round_messages import SLOWEST_BYTES_PER_SECOND, RoundMessages
from bot.domain.audit import AuditEntry
from bot.domain.jobs import Job, Source
from bot.domain.review import Case
from bot.jobs.ports import (
    Delivery,
    Ended,
    InProgress,
    MessageDeleted,
    NoMessage,
    Undeliverable,
    Unreachable,
    Unreadable,
    Update,
)
from bot.ops.logs import of_job
from bot.texts.catalog import speaking
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, say
from bot.views import audit as audit_views
from bot.views import jobs as job_views
from bot.views import review as review_views
from bot.views.escape import cut

if TYPE_CHECKING:
    from bot.chat.client import TriptychClient

log = logging.getLogger(__name__)
T = TypeVar("T")
_Files = list[discord.File]
_Content = tuple[discord.ui.LayoutView, _Files]

TOKEN_USE_SECONDS = 14 * 60  # Discord accepts an interaction token for 15 minutes


TOO_LATE = 10062  # Discord's code if the first answer did not come within 3 s
_MESSAGE_MAX = 2000
_NOBODY = {10007, 10013}  # Discord's codes for an unknown member and an unknown user
_EPHEMERAL = discord.MessageFlags(ephemeral=True).value


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to reach a job's message: with its interaction token, or as the bot."""

    edit: Callable[..., Awaitable[Any]]
    delete: Callable[[], Awaitable[None]]


class DiscordMessenger(RoundMessages):
    """Reaches a job's message with the job's token, then as the bot, then with a new message.

    It tries the next of these ways only if the previous one can never work. If Discord does not
    answer an edit, it may have applied the edit, and a new message would be a duplicate.
    """

    def __init__(self, client: TriptychClient, now: Callable[[], float]) -> None:
        super().__init__(client)
        self._now = now
        self._withheld: set[int] = set()

    def find_locale(self, guild_id: int | None) -> str | None:
        """Return the language that a server has chosen; None for an unknown server."""
        guild = None if guild_id is None else self._client.get_guild(guild_id)
        return None if guild is None else guild.preferred_locale.value

    async def _learn_locale(self, guild_id: int | None) -> str | None:
        """Wait until Discord has listed our servers, then return the server's language."""
        await self._client.wait_until_ready()
        return self.find_locale(guild_id)

    def find_guild_name(self, guild_id: int) -> str | None:
        """Return the name of a server, with any markdown in it escaped."""
        guild = self._client.get_guild(guild_id)
        return None if guild is None else job_views.quote(guild.name)

    async def has_left(self, guild_id: int, user_id: int) -> bool:
        """Ask Discord once whether a member left; events about that need a privileged intent."""
        try:
            await self._client.http.get_member(guild_id, user_id)
        except discord.NotFound as error:
            return error.code in _NOBODY
        except discord.HTTPException as error:
            raise Unreachable(str(error)) from error
        except PASSING_FAULTS as error:
            raise Unreachable(f"Discord could not be reached: {error!r}") from error
        return False

    async def is_refused(self, job: Job) -> bool:
        """Return whether the first answer is private. Accepted prompts get a public answer."""
        webhook = discord.Webhook.partial(
            self._client.application_id or 0, job.origin.token or "", client=self._client
        )
        original = cast(int, "@original")
        answer = await send_with_retry(f"job {job.job_id}", lambda: webhook.fetch_message(original))
        return answer.flags.ephemeral and not answer.flags.loading

    async def progress(self, job: Job, update: Update) -> int | None:
        """Edit the job's message."""
        if job.origin.source is Source.ROUND:
            return await self.show_round_job(job, update)

        def compose(job: Job) -> _Content:
            preview = update.preview if isinstance(update, InProgress) else None
            files: _Files = []
            if preview is not None:
                alt_text = job_views.describe_preview(job)
                name = f"preview-{job.job_id}.webp"
                files = [discord.File(BytesIO(preview), name, description=alt_text)]
            return job_views.compose_update(
                job, update, files[0].filename if files else None
            ), files

        try:
            return await self._withhold(job, lambda job: self._edit(job, compose))
        finally:
            if isinstance(update, Ended):
                self._withheld.discard(job.job_id)

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        """Put the grid into the job's message, or else into a new message that names the author."""
        if job.origin.source is Source.ROUND:
            return await self.deliver_round(job, delivery)
        try:
            return await self._withhold(job, lambda job: self._deliver(job, delivery, can_repost))
        finally:
            self._withheld.discard(job.job_id)

    async def _deliver(self, job: Job, delivery: Delivery, can_repost: bool) -> int | None:
        for shape in SHAPES:
            try:
                files = await asyncio.to_thread(shape, job.job_id, delivery)
            except OSError as error:
                raise Unreadable(f"its pictures cannot be read: {error}") from error
            try:
                return await self._post(job, delivery, files, can_repost)
            except Unwelcome:
                continue
        return await self._post(job, delivery, [], can_repost)

    async def _post(
        self, job: Job, delivery: Delivery, files: Encoded, can_repost: bool
    ) -> int | None:
        """Post files, given by name and content. Raises Unwelcome if Discord refuses them."""
        alt_texts = job_views.describe_files(job, delivery, len(files))

        def compose(job: Job) -> _Content:
            attached = make_files(files, alt_texts, spoiler=job.spoiler)
            names = [file.filename for file in attached]
            services = self._client.services
            view = job_views.compose_delivery(
                job,
                delivery,
                *names,
                can_upscale=services.upscaler is not None,
                can_edit=services.models.can_edit(job.origin.guild_id),
            )
            return view, attached

        size = sum(len(data) for _, data in files)
        seconds = SEND_SECONDS + size / SLOWEST_BYTES_PER_SECOND
        try:
            return await self._edit(job, compose, seconds)
        except Undeliverable as error:
            is_final = isinstance(error, MessageDeleted | TextRefused)
            if not can_repost or is_final or (files and isinstance(error, Unwelcome)):
                raise
            return await self._send(job, compose, seconds)

    async def tell(self, job: Job, reason: Reason | None) -> None:
        """Tell the author privately, where they asked or by direct message. Repeat the prompt."""
        quoted = job_views.quote(job.recipe.prompt)
        with speaking(job.origin.locale):
            text = f"{cut(say(reason), _MESSAGE_MAX - len(quoted) - 3)}\n> {quoted}"
        if not await self._follow_up(job, text):
            await self.write_to(job.origin.user_id, text, f"end-{job.job_id}")

    async def remove(self, job: Job) -> None:
        """Delete the job's message with its token; if that fails, as the bot."""
        fault = Undeliverable("no way to its message is left", because(Code.MESSAGE_OUT_OF_REACH))
        for way in self._list_ways(job):
            try:
                await send_with_retry(f"job {job.job_id}", way.delete)
            except NoMessage:
                pass
            except Undeliverable as error:
                fault = error
                continue
            self._withheld.discard(job.job_id)
            return
        raise fault

    async def _follow_up(self, job: Job, text: str) -> bool:
        """Answer the author privately while the token is valid. A retry could post it twice."""
        token = job.origin.token
        if not token or self._now() - job.accepted_at >= TOKEN_USE_SECONDS:
            return False
        route = discord.http.Route(
            "POST",
            "/webhooks/{application_id}/{webhook_token}",
            application_id=self._client.application_id,
            webhook_token=token,
        )
        body = {"content": text, "flags": _EPHEMERAL, "allowed_mentions": {"parse": []}}
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._client.http.request(route, json=body)
        except (discord.HTTPException, *PASSING_FAULTS) as error:
            of_job(log, job.job_id).info(
                "the author got no private answer in the channel: %s", error
            )
            return False
        return True

    async def write_to(self, user_id: int, text: str, nonce: str) -> None:
        """Send a direct message. Discord posts it once, even if it is sent again."""

        async def send() -> None:
            channel = await self._client.create_dm(discord.Object(user_id))
            await channel.send(text, nonce=nonce)

        await send_with_retry(f"user {user_id}", send)

    async def remove_message(self, channel_id: int, message_id: int) -> None:
        """Delete a message that the bot posted."""
        channel = self._client.get_partial_messageable(channel_id)
        message = channel.get_partial_message(message_id)
        await send_with_retry(f"message {message_id}", message.delete)

    async def show_card(self, case: Case, channel_id: int) -> int:
        """Post a card once, or edit it, in the language of its server.

        If AutoMod refuses members' words on the card, post it without them, or nobody could decide.
        """
        try:
            return await self._show_card(case, channel_id)
        except TextRefused:
            return await self._show_card(replace(case, is_bare=True), channel_id)

    async def _show_card(self, case: Case, channel_id: int) -> int:
        channel = self._client.get_partial_messageable(channel_id)
        card, job = case.card, case.job

        async def send() -> int:
            locale = job.origin.shown_locale if job else await self._learn_locale(card.guild_id)
            with speaking(locale):
                view, files = review_views.compose_card(case)
            if card.message_id is not None:
                message = channel.get_partial_message(card.message_id)
                return (await message.edit(view=view, attachments=files)).id
            nonce = f"card-{card.card_id}"
            return (await channel.send(view=view, files=files, nonce=nonce)).id

        return await send_with_retry(f"card {card.card_id}", send)

    async def post_entries(
        self, channel_id: int, entries: Sequence[AuditEntry], nonce: str
    ) -> None:
        """Post rows of the audit log in a mod-log channel as one message. Tries once.

        If AutoMod refuses members' words in the rows, post them without the words. Otherwise no
        later row would ever be posted.
        """
        try:
            await self._post_entries(channel_id, entries, nonce)
        except TextRefused:
            await self._post_entries(channel_id, entries, nonce, is_bare=True)

    async def _post_entries(
        self, channel_id: int, entries: Sequence[AuditEntry], nonce: str, *, is_bare: bool = False
    ) -> None:
        channel = self._client.get_partial_messageable(channel_id)
        nobody = discord.AllowedMentions.none()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                with speaking(await self._learn_locale(entries[0].guild_id)):
                    view = audit_views.compose_entries(entries, is_bare=is_bare)
                await channel.send(view=view, nonce=nonce, allowed_mentions=nobody, silent=True)
        except discord.HTTPException as error:
            if is_final(error):
                log.info("Discord refused message %s: %s", nonce, error)
                raise choose_kind(error)(str(error), explain(error)) from error
            raise Unreachable(str(error)) from error
        except PASSING_FAULTS as error:
            raise Unreachable(f"Discord could not be reached: {error!r}") from error

    async def _withhold(self, job: Job, post: Callable[[Job], Awaitable[int | None]]) -> int | None:
        """Post a message. If Discord refuses the member's words, post it without them."""
        if job.job_id not in self._withheld:
            try:
                return await post(job)
            except TextRefused as error:
                of_job(log, job.job_id).info(
                    "Discord refused the prompt's words, so the message is sent without them: %s",
                    error,
                )
                self._withheld.add(job.job_id)
        return await post(job_views.withhold_words(job))

    async def _edit(
        self, job: Job, compose: Callable[[Job], _Content], seconds: float | None = None
    ) -> int | None:
        is_deleted = False
        fault = Undeliverable("no way to its message is left", because(Code.MESSAGE_OUT_OF_REACH))
        for way in self._list_ways(job):

            async def edit(way: _Way = way) -> int:
                view, files = compose(job)
                # remove the text that an earlier error message may have left
                return (await way.edit(content=None, view=view, attachments=files)).id

            try:
                return await send_with_retry(f"job {job.job_id}", edit, seconds)
            except TextRefused:
                raise
            except Undeliverable as error:
                is_deleted = is_deleted or isinstance(error, UnknownMessage)
                fault = error
        # Discord gave us the message's id, so the message existed
        if is_deleted and job.message_id is not None:
            raise MessageDeleted(str(fault), because(Code.MESSAGE_DELETED)) from fault
        raise fault

    def _list_ways(self, job: Job) -> list[_Way]:
        origin, message_id = job.origin, job.message_id
        ways: list[_Way] = []
        token, application_id = origin.token, self._client.application_id
        is_young = self._now() - job.accepted_at < TOKEN_USE_SECONDS
        is_only_way = not (origin.channel_id and job.message_id and origin.bot_in_channel)
        if token and application_id and (is_young or is_only_way):
            webhook = discord.Webhook.partial(application_id, token, client=self._client)
            original = cast(int, "@original")
            edit = partial(webhook.edit_message, original)
            ways.append(_Way(edit, partial(webhook.delete_message, original)))
        if origin.channel_id and message_id and origin.bot_in_channel:
            channel = self._client.get_partial_messageable(origin.channel_id)
            message = channel.get_partial_message(message_id)
            ways.append(_Way(message.edit, message.delete))
        return ways

    async def _send(self, job: Job, compose: Callable[[Job], _Content], seconds: float) -> int:
        origin = job.origin
        if origin.channel_id is None or not origin.bot_in_channel:
            why = because(Code.MAY_NOT_POST)
            raise Undeliverable("its message is gone and it is not in that channel", why)
        channel = self._client.get_partial_messageable(origin.channel_id)
        author = discord.AllowedMentions(users=[discord.Object(origin.user_id)])

        async def send() -> int:
            view, files = compose(job)
            message = await channel.send(
                view=view, files=files, nonce=f"job-{job.job_id}", allowed_mentions=author
            )
            return message.id

        return await send_with_retry(f"job {job.job_id}", send, seconds)
