"""Takes the votes for a round's pictures, finds the winner, and posts it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from bot.domain.jobs import JobStatus, Origin
from bot.domain.pictures import ENLARGED
from bot.domain.rounds import PANELS, Round, RoundState, RoundStatus, draw_lot
from bot.errors import UserError
from bot.images.store import PictureWriter
from bot.jobs.ports import Messenger, NotPosted, Undeliverable
from bot.policy.prompts import PromptGate
from bot.rounds.board import Board
from bot.rounds.ports import RoundMessenger
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

_MINUTE_SECONDS = 60.0
HIDDEN_SECONDS = 24 * 3600.0
"""How long the end of a vote waits for a moderator if reports have hidden the pictures."""

_WITHOUT = because(Code.ROUND_WITHOUT_PICTURES)
_NO_MESSAGE = 0


class Voting:
    """Opens the vote when the pictures are posted, counts it, and posts the winner."""

    def __init__(
        self,
        store: Repositories,
        gate: PromptGate,
        board: Board,
        writer: PictureWriter,
        messenger: Messenger,
        round_messenger: RoundMessenger,
        now: Callable[[], float],
        random_seed: Callable[[], int],
    ) -> None:
        self._rounds = store.rounds
        self._jobs = store.jobs
        self._settings = store.settings
        self._words = store.round_words
        self._gate = gate
        self._board = board
        self._writer = writer
        self._messenger = messenger
        self._round_messenger = round_messenger
        self._now = now
        self._random_seed = random_seed

    async def vote(self, round_id: int, panel: int, origin: Origin) -> None:
        """Save a member's vote, in place of an earlier one. Raises UserError."""
        round_ = await self._rounds.fetch(round_id)
        if round_ is None or round_.guild_id != origin.guild_id:
            raise UserError(because(Code.ROUND_UNKNOWN))
        suspended = await self._gate.find_suspended(origin)
        if suspended is not None:
            raise UserError(suspended.reason or because(Code.UNEXPLAINED))
        await self.follow_job(round_)  # the pictures may have been posted just now
        job = None if round_.job_id is None else await self._jobs.fetch_job(round_.job_id)
        if job is not None and (job.hidden or panel not in await self._board.list_panels(job)):
            raise UserError(because(Code.NO_SUCH_PANEL))
        if not await self._rounds.put_vote(round_id, origin.user_id, panel, self._now()):
            raise UserError(because(Code.NOT_VOTING))
        if (await self._settings.fetch(round_.guild_id)).round_live_counts:
            self._board.refresh(round_)

    async def fetch_vote(self, round_id: int, user_id: int) -> int | None:
        """Return the picture that a member votes for, or None."""
        return await self._rounds.fetch_vote(round_id, user_id)

    async def follow_job(self, round_: Round) -> None:
        """Move a round from drawing to voting if its pictures are posted.

        If its job has ended without pictures, end the round.
        """
        if round_.status is not RoundStatus.DRAWING or round_.job_id is None:
            return
        job = await self._jobs.fetch_job(round_.job_id)
        if job is None or job.ended_at is None:
            return
        await self._words.take_out_deleted(round_.round_id)
        if job.status is JobStatus.DELIVERED:
            settings = await self._settings.fetch(round_.guild_id)
            until = self._now() + settings.round_vote_minutes * _MINUTE_SECONDS
            changed = await self._rounds.mark_voting(round_.round_id, until, job.message_id)
        else:
            changed = await self._rounds.mark_over(
                round_.round_id,
                RoundStatus.FAILED,
                reason=job.reason or because(Code.UNEXPLAINED),
                now=self._now(),
                leaving=(RoundStatus.DRAWING,),
            )
        if changed is not None:
            self._board.refresh(changed)

    async def end(self, round_: Round) -> None:
        """End a vote whose time is over. A lot decides between equal numbers of votes."""
        until = round_.votes_until
        if round_.status is not RoundStatus.VOTING or until is None or until > self._now():
            return
        job = None if round_.job_id is None else await self._jobs.fetch_job(round_.job_id)
        if job is not None and job.hidden and self._now() < until + HIDDEN_SECONDS:
            return  # a moderator may still restore the pictures
        panels = await self._board.list_panels(job)
        if job is None or job.hidden or not panels:
            changed = await self._rounds.mark_over(
                round_.round_id,
                RoundStatus.ENDED,
                reason=_WITHOUT,
                now=self._now(),
                leaving=(RoundStatus.VOTING,),
            )
        elif not await self._board.show_now(round_):  # somebody deleted the pictures
            return
        else:
            changed = await self._choose(round_, panels)
        if changed is not None:
            self._board.refresh(changed)

    async def _choose(self, round_: Round, panels: Sequence[int]) -> Round | None:
        """Count the votes and save the winner, in one transaction, so that no vote is lost."""
        settings = await self._settings.fetch(round_.guild_id)
        async with self._rounds.transaction():
            tally = await self._rounds.count_votes(round_.round_id)
            winner, seed = choose_winner(tally, panels, self._random_seed())
            return await self._rounds.mark_won(
                round_.round_id,
                winner,
                tally=tally,
                lot_seed=seed,
                showcase_channel_id=settings.showcase_channel_id,
                now=self._now(),
            )

    async def post(self, round_: Round) -> None:
        """Post the winner in the round's channel and in the showcase, if it is not there yet."""
        state = await self._board.compose(round_.round_id)
        picture = None if state is None else await self._locate_winner(state)
        if state is None or picture is None:
            if round_.winner_message_id is None:
                await self._rounds.mark_announced(round_.round_id, _NO_MESSAGE)
            if round_.showcase_message_id is None:
                await self._rounds.mark_shown_off(round_.round_id, _NO_MESSAGE)
            return
        if round_.winner_message_id is None:
            post = self._round_messenger.announce_winner(state, picture)
            message_id = await _try(round_, post)
            if message_id is not None:
                await self._rounds.mark_announced(round_.round_id, message_id)
        channel_id = round_.showcase_channel_id
        if round_.showcase_message_id is None and channel_id is not None:
            post = self._round_messenger.show_off(state, picture, channel_id)
            message_id = await _try(round_, post)
            if message_id is not None:
                await self._rounds.mark_shown_off(round_.round_id, message_id)

    async def _locate_winner(self, state: RoundState) -> Path | None:
        """Find the file of the winning picture, as large as people see it; None if it is gone."""
        job, winner = state.job, state.round.winner
        if job is None or winner is None or job.hidden or job.deleted_at is not None:
            return None
        files = {each.panel: each for each in await self._jobs.list_pictures(job.job_id)}
        file = files.get(winner + ENLARGED) or files.get(winner)
        found = await self._writer.locate([file]) if file else None
        return found[0] if found else None

    async def take_down(self, round_: Round) -> None:
        """Delete the messages with the winner, because nobody may see its pictures any more."""
        places = (
            (round_.channel_id, round_.winner_message_id, self._rounds.mark_announced),
            (round_.showcase_channel_id, round_.showcase_message_id, self._rounds.mark_shown_off),
        )
        for channel_id, message_id, mark in places:
            if channel_id is not None and message_id and await self._remove(channel_id, message_id):
                await mark(round_.round_id, _NO_MESSAGE)

    async def _remove(self, channel_id: int, message_id: int) -> bool:
        try:
            await self._messenger.remove_message(channel_id, message_id)
        except Undeliverable as error:
            log.warning("message %s with a winner cannot be deleted: %s", message_id, error)
        except NotPosted as error:
            log.info("message %s with a winner is deleted later: %s", message_id, error)
            return False
        return True


async def _try(round_: Round, post: Awaitable[int]) -> int | None:
    """Post. Return the message's id; 0 if this can never work; None to try again later."""
    try:
        return await post
    except Undeliverable as error:
        log.warning("the winner of round %s cannot be posted: %s", round_.round_id, error)
        return _NO_MESSAGE
    except NotPosted as error:
        log.info("the winner of round %s is posted later: %s", round_.round_id, error)
        return None


def choose_winner(tally: Sequence[int], panels: Sequence[int], seed: int) -> tuple[int, int | None]:
    """Return the panel with the most votes. Also return the seed, or None if no lot decided."""
    most = max(tally[PANELS.index(panel)] for panel in panels)
    tied = tuple(panel for panel in panels if tally[PANELS.index(panel)] == most)
    return (tied[0], None) if len(tied) == 1 else (draw_lot(tied, seed), seed)
