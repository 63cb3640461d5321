"""Shows the newest state of each round in its message, with few edits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bot.domain.jobs import Job, JobStatus
from bot.domain.rounds import PANELS, Phrase, PhraseStatus, Round, RoundState, RoundStatus
from bot.jobs.ports import MessageDeleted, NotPosted, Undeliverable
from bot.jobs.status_messages import StatusMessages
from bot.ops.locks import KeyedLocks
from bot.review.notices import Notices
from bot.rounds.ports import RoundMessenger
from bot.rounds.prompts import sort_phrases
from bot.rounds.room import Prompts
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

_BEFORE_DRAWING = (RoundStatus.OPEN, RoundStatus.ASKING)


class Board:
    """Composes what a round's message shows, and posts and edits it.

    If a round's message cannot be posted or changed before the round is drawn, the round ends,
    because nobody could see it any more. Then nobody pays. If somebody deletes a message with
    pictures, no picture wins, because deleted pictures are not posted again.
    """

    def __init__(
        self,
        store: Repositories,
        prompts: Prompts,
        status_messages: StatusMessages,
        messenger: RoundMessenger,
        notices: Notices,
        now: Callable[[], float],
    ) -> None:
        self._rounds = store.rounds
        self._phrases = store.phrases
        self._jobs = store.jobs
        self._settings = store.settings
        self._prompts = prompts
        self._status_messages = status_messages
        self._messenger = messenger
        self._notices = notices
        self._now = now
        self._turns = KeyedLocks[int]()
        self._stale: set[int] = set()  # rounds that were not shown, because Discord did not answer

    def refresh(self, round_: Round) -> None:
        """Show the round as soon as its message may be edited again."""
        show = partial(self.show, round_.round_id)
        self._status_messages.refresh(round_.channel_id, round_.round_id, show)

    async def refresh_all(self, round_ids: list[int]) -> None:
        """Show these rounds as soon as possible."""
        for round_id in round_ids:
            round_ = await self._rounds.fetch(round_id)
            if round_ is not None:
                self.refresh(round_)

    async def retry(self) -> None:
        """Show again what could not be shown, because Discord did not answer."""
        stale, self._stale = sorted(self._stale), set()
        await self.refresh_all(stale)

    async def show_now(self, round_: Round) -> bool:
        """Show the round at once. Return whether it has a message and is not over."""
        show = partial(self.show, round_.round_id)
        await self._status_messages.show_now(round_.channel_id, round_.round_id, show)
        present = await self._rounds.fetch(round_.round_id)
        return bool(present and present.message_id and not present.status.is_over)

    async def show(self, round_id: int) -> None:
        """Edit the round's message, or post it. One call runs at a time, so it is posted once."""
        async with self._turns[round_id]:
            state = await self.compose(round_id)
            # while a round is drawn, its message shows its job
            if state is None or state.round.status is RoundStatus.DRAWING:
                return
            try:
                message_id = await self._messenger.show_round(state)
            except Undeliverable as error:
                await self._give_up(state.round, error)
                return
            except NotPosted as error:
                log.info("round %s could not be shown and is tried again: %s", round_id, error)
                self._stale.add(round_id)
                return
            if state.round.message_id is None:
                await self._rounds.mark_posted(round_id, message_id)
            await self._settle(state.round)

    async def _give_up(self, round_: Round, error: Undeliverable) -> None:
        log.warning("the message of round %s is out of reach: %s", round_.round_id, error)
        if round_.status in _BEFORE_DRAWING:
            ended = await self._rounds.mark_over(
                round_.round_id,
                RoundStatus.CANCELLED,
                reason=because(Code.ROUND_OUT_OF_REACH, why=error.why),
                now=self._now(),
                leaving=_BEFORE_DRAWING,
            )
            if ended is not None:
                await self._notices.tell_round_ended(ended)
            round_ = ended or round_
        elif isinstance(error, MessageDeleted):
            ended = await self._rounds.mark_over(
                round_.round_id,
                RoundStatus.ENDED,
                reason=because(Code.ROUND_WITHOUT_PICTURES),
                now=self._now(),
                leaving=(RoundStatus.VOTING,),
            )
            round_ = ended or round_
        await self._settle(round_)

    async def _settle(self, round_: Round) -> None:
        """If the round is over, record that its message shows the end, or never will."""
        if round_.status.is_over:
            await self._rounds.mark_end_shown(round_.round_id)
            self._status_messages.forget(round_.channel_id, round_.round_id)

    async def note_posted(self, round_id: int, message_id: int) -> None:
        """Save the round's message, if the bot stopped before it could do so."""
        await self._rounds.mark_posted(round_id, message_id)

    async def compose_for_job(self, job: Job) -> RoundState | None:
        """Collect all that the message of a round's job shows; None for other jobs."""
        round_ = await self._rounds.fetch_by_job(job.job_id)
        state = None if round_ is None else await self.compose(round_.round_id)
        return None if state is None else replace(state, job=job)

    async def compose(self, round_id: int) -> RoundState | None:
        """Collect all that the round's message shows now; None if there is no such round."""
        round_ = await self._rounds.fetch(round_id)
        if round_ is None:
            return None
        joined = await self._phrases.list_of_round(round_id, PhraseStatus.JOINED)
        held = await self._phrases.list_of_round(round_id, PhraseStatus.HELD)
        job = None if round_.job_id is None else await self._jobs.fetch_job(round_.job_id)
        room = await self._prompts.fetch_room(round_.style, round_.guild_id, round_.model)
        likely = () if room is None else room.choose(round_, [each for each in joined if each.text])
        texts = [each.text for each in likely]
        return RoundState(
            round_,
            tuple(hide_authors(round_, sort_phrases(round_, joined))),
            len(held),
            None if room is None else room.count_words_left(round_.theme, texts),
            job,
            await self._fetch_tally(round_),
            await self.list_panels(job),
            await self._list_ancestors(round_),
        )

    async def _list_ancestors(self, round_: Round) -> tuple[Round, ...]:
        if round_.previous_id is None:
            return ()
        return tuple(await self._rounds.list_ancestors(round_))

    async def _fetch_tally(self, round_: Round) -> tuple[int, ...] | None:
        if round_.status is RoundStatus.ENDED:
            return round_.tally or None
        if round_.status is not RoundStatus.VOTING:
            return None
        settings = await self._settings.fetch(round_.guild_id)
        return (
            await self._rounds.count_votes(round_.round_id) if settings.round_live_counts else None
        )

    async def list_panels(self, job: Job | None) -> tuple[int, ...]:
        """Return the pictures that people may see and vote for."""
        if job is None or job.status is not JobStatus.DELIVERED or job.deleted_at is not None:
            return ()
        files = await self._jobs.list_pictures(job.job_id)
        shown = {each.panel for each in files if each.verdict is not None and each.verdict.shown}
        return tuple(panel for panel in PANELS if panel in shown)


def hide_authors(round_: Round, phrases: list[Phrase]) -> list[Phrase]:
    """Hide who wrote the phrases of an anonymous round, until it is over."""
    if not round_.is_anonymous or round_.status.is_over:
        return phrases
    return [replace(each, user_id=0) for each in phrases]
