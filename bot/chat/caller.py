"""Answers a member whose interaction has not been answered yet."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import discord
import discord.http
import yarl

from bot.chat.drafts import offer_again
from bot.chat.first_answers import ALREADY_ACKNOWLEDGED
from bot.chat.retries import ARCHIVED, PASSING_FAULTS, explain, is_final
from bot.domain.jobs import Job
from bot.domain.recipes import Upload
from bot.errors import UserError
from bot.images.uploads import check_size
from bot.jobs.ports import AnsweredElsewhere, PlaceClosed, Undeliverable, Unreachable
from bot.ops.logs import of_job
from bot.texts.codes import Code
from bot.texts.reasons import Reason, because, say
from bot.views import review as review_views
from bot.views.components import compose_answer

if TYPE_CHECKING:
    from bot.chat.client import TriptychClient


log = logging.getLogger(__name__)


ACKNOWLEDGE_SECONDS = 2.5  # Discord allows 3 s


FETCH_SECONDS = 20.0

_FILE_HOSTS = {"cdn.discordapp.com", "media.discordapp.net"}
_HTTPS = 443


_NOT_FETCHED = because(Code.UPLOAD_NOT_FETCHED)


class InteractionCaller:
    """A member whose interaction has not been answered yet."""

    def __init__(self, interaction: discord.Interaction[TriptychClient]) -> None:
        self._interaction = interaction

    async def acknowledge(self, job: Job) -> int | None:
        """Defer with a public answer, which becomes the status message. Returns its id."""
        for attempt in (1, 2):
            try:
                async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                    response = await self._interaction.response.defer(thinking=True)
            except discord.HTTPException as error:
                if (final := self._find_end(error)) is not None:
                    of_job(log, job.job_id).info(
                        "Discord refused the first answer to this job: %s", error
                    )
                    raise final from error
                # An earlier attempt had succeeded, but Discord's reply to it was lost.
                if error.code == ALREADY_ACKNOWLEDGED:
                    return None
                if attempt == 2:
                    raise Unreachable(str(error)) from error
            except PASSING_FAULTS as error:
                if attempt == 2:
                    raise Unreachable(f"Discord did not answer: {error!r}") from error
            else:
                return response.message_id if response else None
        raise AssertionError("unreachable")

    def _find_end(self, error: discord.HTTPException) -> Undeliverable | None:
        """Return the error to raise if another attempt would fail too; otherwise None."""
        if self._is_of_another(error):
            return AnsweredElsewhere(str(error), because(Code.ANSWERED_ELSEWHERE))
        if error.code == ARCHIVED:
            return PlaceClosed(str(error), explain(error))
        if is_final(error) and error.code != ALREADY_ACKNOWLEDGED:
            return Undeliverable(str(error), explain(error))
        return None

    async def refuse(self, reason: Reason, *, can_appeal: bool = False) -> None:
        """Refuse in an answer that only the member sees."""
        again = offer_again(self._interaction)
        send, text = self._interaction.response.send_message, say(reason)
        try:
            if can_appeal:
                await send(view=review_views.compose_suspended(text, *again), ephemeral=True)
            elif again:
                await send(view=compose_answer(text, *again), ephemeral=True)
            else:
                await send(text, ephemeral=True)
        except discord.HTTPException as error:
            if not self._is_of_another(error) and error.code != ALREADY_ACKNOWLEDGED:
                # We ignore the error only if Discord sent us the same press twice.
                raise

    def _is_of_another(self, error: discord.HTTPException) -> bool:
        first_answers = self._interaction.client.first_answers
        return first_answers.is_of_another(self._interaction.id, error)

    async def fetch_upload(self, upload: Upload) -> bytes:
        """Download a file, from Discord's own file hosts only. Raises UserError."""
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
        except PASSING_FAULTS as error:
            raise UserError(_NOT_FETCHED) from error
        return bytes(data)


def _is_of_discord(address: str) -> bool:
    """Return whether files may be fetched from this address: Discord's or the playground's."""
    try:
        url = yarl.URL(address)
        if discord.http.Route.BASE.startswith("http://"):
            return url.origin() == yarl.URL(discord.http.Route.BASE).origin()
        return url.scheme == "https" and url.host in _FILE_HOSTS and url.port == _HTTPS
    except ValueError:
        return False
