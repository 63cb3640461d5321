"""The discord.py side of the port: first answers, edits, deliveries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, TypeVar, cast

import aiohttp
import discord
import discord.http
import yarl

from bot import replies, replies_moderation, replies_review
from bot.cases import Case
from bot.errors import UserError
from bot.jobs.port import (
    Delivery,
    Drawing,
    NoMessage,
    PlaceClosed,
    Undeliverable,
    Unreachable,
    Unreadable,
    Update,
)
from bot.pictures import encode_small
from bot.records import AuditEntry, Job, Upload
from bot.uploads import check_size

if TYPE_CHECKING:
    from bot.client import TriptychClient

log = logging.getLogger(__name__)
T = TypeVar("T")
_Files = list[discord.File]
_Encoded = list[tuple[str, bytes]]
_Content = tuple[discord.ui.LayoutView, _Files]

ACKNOWLEDGE_SECONDS = 2.5  # Discord allows 3
TOKEN_USE_SECONDS = 14 * 60  # Discord allows 15 minutes
SEND_SECONDS = 60.0
SLOWEST_BYTES_PER_SECOND = 8 * 1024  # an upload over a slower line is given up and begun again
RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)

FETCH_SECONDS = 20.0

ALREADY_ACKNOWLEDGED = 40060
TOO_LATE = 10062  # an interaction must have its first answer within 3 s
_ARCHIVED = 50083
_FILE_HOSTS = {"cdn.discordapp.com", "media.discordapp.net"}
_HTTPS = 443
_NO_FILES = {40005, 50045, 50013, 400001}  # too large, twice; no permission; uploads limited
_NOT_FETCHED = (
    "Discord did not hand over the picture you sent, so nothing was drawn or charged. "
    "Please send it again."
)
_FINAL_STATUSES = {400, 401, 403, 404, 413}
_REASONS = {
    **dict.fromkeys((403, 50001, 50013), "Triptych may not post there"),
    **dict.fromkeys((404, 10003), "the channel or the message is gone"),
    **dict.fromkeys((10008, 10015, 50027), "the message is out of reach"),
    **dict.fromkeys((413, 40005, 50045), "the files are too large for that channel"),
    _ARCHIVED: "the thread is archived and locked",
    400001: "Discord takes no files there at the moment",
}
_MESSAGE_MAX = 2000
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
                if error.code == _ARCHIVED:
                    raise PlaceClosed(_explain(error)) from error
                if error.status in _FINAL_STATUSES:
                    log.info("job %s: Discord refused its answer: %s", job.job_id, error)
                    raise Undeliverable(_explain(error)) from error
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
        try:
            if can_appeal:
                view = replies_review.compose_suspended(reason)
                await self._interaction.response.send_message(view=view, ephemeral=True)
            else:
                await self._interaction.response.send_message(reason, ephemeral=True)
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:  # Discord sent one press twice
                raise

    async def fetch_upload(self, upload: Upload) -> bytes:
        """From Discord's own file hosts and nowhere else. Raises UserError."""
        check_size(upload.num_bytes)
        if not _is_of_discord(upload.url):
            raise UserError(_NOT_FETCHED)
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),
                aiohttp.ClientSession() as session,
                session.get(upload.url, allow_redirects=False) as response,
            ):
                if response.status != HTTPStatus.OK:
                    raise UserError(_NOT_FETCHED)
                data = bytearray()
                async for chunk in response.content.iter_chunked(65536):
                    data += chunk
                    check_size(len(data))
        except _PASSING_FAULTS as error:
            raise UserError(_NOT_FETCHED) from error
        return bytes(data)


def _is_of_discord(address: str) -> bool:
    """Whether files may be fetched from there; the stand-in serves them beside its API."""
    try:
        url = yarl.URL(address)
        if discord.http.Route.BASE.startswith("http://"):
            return url.origin() == yarl.URL(discord.http.Route.BASE).origin()
        return url.scheme == "https" and url.host in _FILE_HOSTS and url.port == _HTTPS
    except ValueError:
        return False


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

        def compose() -> _Content:
            preview = update.preview if isinstance(update, Drawing) else None
            files: _Files = []
            if preview is not None:
                alt_text = replies.describe_preview(job)
                name = f"preview-{job.job_id}.webp"
                files = [discord.File(BytesIO(preview), name, description=alt_text)]
            return replies.compose_update(job, update, files[0].filename if files else None), files

        return await self._edit(job, compose)

    async def deliver(self, job: Job, delivery: Delivery, *, can_repost: bool = True) -> int | None:
        """Edit the grid into the job's message, or else post a new one that names the author."""
        for shape in _SHAPES:
            try:
                files = await asyncio.to_thread(shape, job.job_id, delivery)
            except OSError as error:
                raise Unreadable(f"its pictures cannot be read: {error}") from error
            try:
                return await self._post(job, delivery, files, can_repost)
            except _Unwelcome:
                continue
        return await self._post(job, delivery, [], can_repost)

    async def _post(
        self, job: Job, delivery: Delivery, files: _Encoded, can_repost: bool
    ) -> int | None:
        """files: names and contents. Raises _Unwelcome if it is they that cannot be posted."""
        alt_texts = replies.describe_files(job, delivery, len(files))

        def compose() -> _Content:
            attached = [
                discord.File(BytesIO(data), name, description=alt_text, spoiler=job.spoiler)
                for (name, data), alt_text in zip(files, alt_texts, strict=True)
            ]
            names = [file.filename for file in attached]
            return replies.compose_delivery(job, delivery, *names), attached

        size = sum(len(data) for _, data in files)
        seconds = SEND_SECONDS + size / SLOWEST_BYTES_PER_SECOND
        try:
            return await self._edit(job, compose, seconds)
        except Undeliverable as error:
            if not can_repost or (files and isinstance(error, _Unwelcome)):
                raise
            return await self._send(job, compose, seconds)

    async def tell(self, job: Job, text: str) -> None:
        """A direct message that names the prompt."""
        quoted = replies.quote(job.recipe.prompt)
        text = f"{text[: _MESSAGE_MAX - len(quoted) - 3]}\n> {quoted}"
        await self.write_to(job.origin.user_id, text, f"end-{job.job_id}")

    async def write_to(self, user_id: int, text: str, nonce: str) -> None:
        """A direct message, which Discord takes once however often it is sent."""

        async def send() -> None:
            channel = await self._client.create_dm(discord.Object(user_id))
            await channel.send(text, nonce=nonce)

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

    async def post_entries(
        self, channel_id: int, entries: Sequence[AuditEntry], nonce: str
    ) -> None:
        """Rows of the audit log in a mod-log channel, as one message. Tries once."""
        channel = self._client.get_partial_messageable(channel_id)
        nobody = discord.AllowedMentions.none()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                view = replies_moderation.compose_entries(entries)
                await channel.send(view=view, nonce=nonce, allowed_mentions=nobody, silent=True)
        except discord.HTTPException as error:
            if error.status in _FINAL_STATUSES:
                log.info("%s: Discord refused it: %s", nonce, error)
                raise Undeliverable(_explain(error)) from error
            raise Unreachable(str(error)) from error
        except _PASSING_FAULTS as error:
            raise Unreachable(f"Discord could not be reached: {error!r}") from error

    async def _edit(
        self, job: Job, compose: Callable[[], _Content], seconds: float | None = None
    ) -> int | None:
        fault = Undeliverable("no way to its message is left")
        for route in self._list_routes(job):
            try:
                return await _send_with_retry(
                    f"job {job.job_id}", lambda route=route: route(*compose()), seconds
                )
            except Undeliverable as error:
                fault = error
        raise fault

    def _list_routes(self, job: Job) -> list[Callable[..., Awaitable[int]]]:
        origin, message_id = job.origin, job.message_id
        routes: list[Callable[..., Awaitable[int]]] = []
        token, application_id = origin.token, self._client.application_id
        is_young = self._now() - job.accepted_at < TOKEN_USE_SECONDS
        is_only_way = not (origin.channel_id and job.message_id and origin.bot_in_channel)
        if token and application_id and (is_young or is_only_way):

            async def edit_by_token(view: discord.ui.LayoutView, files: _Files) -> int:
                webhook = discord.Webhook.partial(application_id, token, client=self._client)
                original = cast(int, "@original")
                # content: what an error may have said there; the types know none beside a layout
                edit = cast(Callable[..., Awaitable[discord.WebhookMessage]], webhook.edit_message)
                return (await edit(original, content=None, view=view, attachments=files)).id

            routes.append(edit_by_token)
        channel_id = origin.channel_id
        if channel_id and message_id and origin.bot_in_channel:

            async def edit_as_bot(view: discord.ui.LayoutView, files: _Files) -> int:
                channel = self._client.get_partial_messageable(channel_id)
                message = channel.get_partial_message(message_id)
                return (await message.edit(content=None, view=view, attachments=files)).id

            routes.append(edit_as_bot)
        return routes

    async def _send(self, job: Job, compose: Callable[[], _Content], seconds: float) -> int:
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

        return await _send_with_retry(f"job {job.job_id}", send, seconds)


class _Unwelcome(Undeliverable):
    """The message might be taken with other files, or with none."""


def _as_it_is(job_id: int, delivery: Delivery) -> _Encoded:
    return [(f"triptych-{job_id}.png", delivery.grid.read_bytes())]


def _smaller(job_id: int, delivery: Delivery) -> _Encoded:
    return [(f"triptych-{job_id}.webp", encode_small(delivery.grid).getvalue())]


def _singly(job_id: int, delivery: Delivery) -> _Encoded:
    return [
        (f"triptych-{job_id}-{n}.webp", encode_small(path).getvalue())
        for n, path in enumerate(delivery.images, 1)
    ]


_SHAPES = (_as_it_is, _smaller, _singly)


async def _send_with_retry(
    what: str, send: Callable[[], Awaitable[T]], seconds: float | None = None
) -> T:
    """discord.py retries neither resets nor timeouts. Raises Undeliverable, or Unreachable."""
    fault: Exception | None = None
    for delay_seconds in (0.0, *RETRY_DELAYS_SECONDS):
        await asyncio.sleep(delay_seconds)
        try:
            async with asyncio.timeout(seconds or SEND_SECONDS):
                return await send()
        except discord.HTTPException as error:
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or error.code in _NO_FILES:
                log.info("%s: Discord did not take its files: %s", what, error)
                raise _Unwelcome(_explain(error)) from error
            if error.status in _FINAL_STATUSES:
                log.info("%s: Discord refused it: %s", what, error)
                is_gone = error.status == HTTPStatus.NOT_FOUND
                raise (NoMessage if is_gone else Undeliverable)(_explain(error)) from error
            fault = error
        except _PASSING_FAULTS as error:
            fault = error
        log.info("%s: Discord did not take it, trying again: %r", what, fault)
    raise Unreachable(f"Discord could not be reached: {fault!r}") from fault


def _explain(error: discord.HTTPException) -> str:
    """Why Discord will never take it, in a few words for the member; the log has the error."""
    return _REASONS.get(error.code) or _REASONS.get(error.status) or "Discord refused it"
