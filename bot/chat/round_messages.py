"""Posts and edits the messages of group rounds. The bot posts them itself, not as answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import discord

from bot.chat.grids import SHAPES, Encoded, encode_winner, make_files
from bot.chat.permissions import can_everybody_see
from bot.chat.retries import (
    SEND_SECONDS,
    TextRefused,
    UnknownMessage,
    Unwelcome,
    send_with_retry,
)
from bot.domain.jobs import Job
from bot.domain.rounds import RoundState
from bot.errors import StoreError
from bot.jobs.ports import (
    Delivery,
    Hidden,
    InProgress,
    MessageDeleted,
    Undeliverable,
    Unreachable,
    Unreadable,
    Update,
)
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views import rounds as round_views
from bot.views.round_lines import link_to

if TYPE_CHECKING:
    from bot.chat.client import TriptychClient

log = logging.getLogger(__name__)

SLOWEST_BYTES_PER_SECOND = 8 * 1024  # an upload that is slower than this is stopped and tried again

_MOST_GRIDS = 500
_Content = tuple[discord.ui.LayoutView, list[discord.File] | None]
"""A message and its files. With None in place of files, the message keeps the files it has."""
_Compose = Callable[[RoundState], _Content]


class RoundMessages:
    """Implements the port of rounds. ``DiscordMessenger`` adds the messages of jobs."""

    def __init__(self, client: TriptychClient) -> None:
        self._client = client
        # the names of the pictures in each round's message, so that an edit can keep them
        self._grids: dict[int, tuple[str, ...]] = {}
        # the words in each round's message that Discord refused
        self._refused: dict[int, frozenset[str]] = {}

    async def show_round(self, state: RoundState) -> int:
        """Edit the round's message, or post it if there is none; return its id.

        Pictures that are already in the message stay. After a restart they are uploaded once more,
        because their names are kept only in memory.
        """
        job, round_id = state.job, state.round.round_id
        if job is None or not round_views.shows_pictures(state):
            self._grids.pop(round_id, None)
            return await self._put(state, lambda state: (round_views.compose_round(state), []))
        names = self._grids.get(round_id)
        delivery = await self._load(job) if names is None else None
        if delivery is not None:
            return await self._put_grid(state, delivery, round_views.compose_round)
        return await self._put(
            state, lambda state: (round_views.compose_round(state, *(names or ())), None)
        )

    async def show_round_job(self, job: Job, update: Update) -> int:
        """Show the progress of a round's job in the round's message."""
        state = await self._find_state(job)
        preview = update.preview if isinstance(update, InProgress) else None
        if isinstance(update, Hidden):
            self._grids.pop(state.round.round_id, None)

        def compose(state: RoundState) -> _Content:
            if preview is None:
                return round_views.compose_progress(state, update), []
            name = f"preview-{job.job_id}.webp"
            files = [discord.File(BytesIO(preview), name)]
            return round_views.compose_progress(state, update, name), files

        return await self._put(state, compose)

    async def deliver_round(self, job: Job, delivery: Delivery) -> int:
        """Put the grid into the round's message. There is never a second message."""

        def compose(state: RoundState, *names: str) -> discord.ui.LayoutView:
            return round_views.compose_delivery(state, delivery, *names)

        return await self._put_grid(await self._find_state(job), delivery, compose)

    async def ask_starter(self, state: RoundState) -> None:
        """Ask the starter whether to draw, with a mention. Discord posts the question once."""
        round_ = state.round
        channel = self._client.get_partial_messageable(round_.channel_id)
        text = round_views.compose_question(state, link_to(round_))
        starter = discord.AllowedMentions(users=[discord.Object(round_.starter_id)])
        nonce = f"ask-{round_.round_id}"
        await send_with_retry(
            nonce, lambda: channel.send(text, nonce=nonce, allowed_mentions=starter)
        )

    async def announce_winner(self, state: RoundState, picture: Path) -> int:
        """Post the winning picture large in the round's channel; return the message's id."""
        nonce = f"winner-{state.round.round_id}"
        return await self._post_winner(state, picture, state.round.channel_id, nonce)

    async def show_off(self, state: RoundState, picture: Path, channel_id: int) -> int:
        """Post the winner in the showcase channel, with a link to the round.

        Raises Undeliverable if not everybody in the server can see the round's channel.
        """
        guild = self._client.get_guild(state.round.guild_id)
        channel = None if guild is None else guild.get_channel_or_thread(channel_id)
        is_nsfw = getattr(channel, "is_nsfw", None)
        if state.round.age_restricted and not (is_nsfw and is_nsfw()):
            raise Undeliverable("the showcase is not age-restricted, but the round's channel is")
        if not can_everybody_see(guild, state.round.channel_id):
            raise Undeliverable("not everybody can see the round's channel")
        nonce = f"showcase-{state.round.round_id}"
        return await self._post_winner(state, picture, channel_id, nonce, link_to(state.round))

    async def _post_winner(
        self,
        state: RoundState,
        picture: Path,
        channel_id: int,
        nonce: str,
        link: str | None = None,
    ) -> int:
        try:
            forms = await asyncio.to_thread(encode_winner, state.round.round_id, picture)
        except OSError as error:
            raise Unreadable(f"the winner cannot be read: {error}") from error
        channel = self._client.get_partial_messageable(channel_id)
        spoiler = state.job is not None and state.job.spoiler

        async def post(state: RoundState, encoded: Encoded) -> int:
            async def send() -> int:
                files = make_files(encoded, spoiler=spoiler)
                view = round_views.compose_winner(state, files[0].filename, link)
                return (await channel.send(view=view, files=files, nonce=nonce)).id

            return await send_with_retry(nonce, send, _limit_seconds(encoded))

        for encoded in forms:
            try:
                return await post(state, encoded)
            except TextRefused:
                return await post(round_views.withhold_words(state), encoded)
            except Unwelcome:
                if encoded is forms[-1]:
                    raise
        raise AssertionError("unreachable")

    async def _find_state(self, job: Job) -> RoundState:
        try:
            state = await self._client.services.rounds.board.compose_for_job(job)
        except StoreError as error:
            raise Unreachable(f"the round cannot be read: {error}") from error
        if state is None:
            raise Undeliverable(f"job {job.job_id} has no round")
        return state

    async def _load(self, job: Job) -> Delivery | None:
        """Return the pictures on the disk; None if they are gone, or cannot be read now."""
        services = self._client.services
        try:
            files = await services.jobs.list_pictures(job.job_id)
            paths = await services.writer.locate(files)
        except StoreError as error:
            raise Unreachable(f"the pictures cannot be read: {error}") from error
        return None if paths is None else Delivery.of(files, paths)

    async def _put_grid(
        self,
        state: RoundState,
        delivery: Delivery,
        compose: Callable[..., discord.ui.LayoutView],
    ) -> int:
        """Show the pictures in the first form that Discord accepts, or else no pictures."""
        assert state.job is not None
        round_id, job_id, spoiler = state.round.round_id, state.job.job_id, state.job.spoiler
        for shape in SHAPES:
            try:
                encoded = await asyncio.to_thread(shape, job_id, delivery)
            except OSError as error:
                raise Unreadable(f"its pictures cannot be read: {error}") from error
            names: tuple[str, ...] = ()

            def fill(state: RoundState, encoded: Encoded = encoded) -> _Content:
                nonlocal names
                files = make_files(encoded, spoiler=spoiler)
                names = tuple(file.filename for file in files)
                return compose(state, *names), files

            try:
                message_id = await self._put(state, fill, _limit_seconds(encoded))
            except Unwelcome:
                continue
            self._remember(round_id, names)
            return message_id
        message_id = await self._put(state, lambda state: (compose(state), []))
        self._remember(round_id, ())
        return message_id

    def _remember(self, round_id: int, names: tuple[str, ...]) -> None:
        self._grids[round_id] = names
        if len(self._grids) > _MOST_GRIDS:
            del self._grids[next(iter(self._grids))]

    async def _put(self, state: RoundState, compose: _Compose, seconds: float | None = None) -> int:
        """Show the message. If Discord refuses people's words, show it without them.

        The words are tried again when one of them is gone. Until then, the text has all the words
        that Discord refused, so it would be refused again.
        """
        round_id, words = state.round.round_id, _list_words(state)
        refused = self._refused.pop(round_id, None)
        if refused is None or not refused <= words:
            try:
                return await self._write(state, compose, seconds)
            except TextRefused as error:
                log.info("round %s is shown without its words: %s", round_id, error)
                refused = words
        self._refused[round_id] = refused
        return await self._write(round_views.withhold_words(state), compose, seconds)

    async def _write(self, state: RoundState, compose: _Compose, seconds: float | None) -> int:
        round_ = state.round
        channel = self._client.get_partial_messageable(round_.channel_id)
        nonce = f"round-{round_.round_id}"

        async def write() -> int:
            view, files = compose(state)
            if round_.message_id is None:
                return (await channel.send(view=view, nonce=nonce)).id
            message = channel.get_partial_message(round_.message_id)
            if files is None:
                return (await message.edit(view=view)).id
            return (await message.edit(view=view, attachments=files)).id

        async def write_or_notice() -> int:
            try:
                return await send_with_retry(nonce, write, seconds)
            except UnknownMessage as error:
                raise MessageDeleted(str(error), because(Code.MESSAGE_GONE)) from error

        try:
            return await write_or_notice()
        except Undeliverable as error:
            if error.why.code != Code.THREAD_ARCHIVED:
                raise
        await self._open_again(round_.channel_id)
        return await write_or_notice()

    async def _open_again(self, channel_id: int) -> None:
        """Open an archived thread again. This works unless the thread is locked.

        Discord archives a thread after some time without messages, and a round may take longer.
        """
        edit = partial(self._client.http.edit_channel, channel_id, archived=False)
        await send_with_retry(f"thread-{channel_id}", edit)


def _list_words(state: RoundState) -> frozenset[str]:
    themes = [each.theme for each in (state.round, *state.ancestors)]
    return frozenset([*themes, *(each.text for each in state.phrases)])


def _limit_seconds(encoded: Encoded) -> float:
    return SEND_SECONDS + sum(len(data) for _, data in encoded) / SLOWEST_BYTES_PER_SECOND
