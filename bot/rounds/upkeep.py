"""The chore that takes each round to its next step, also after a restart."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from bot.domain.rounds import Round, RoundStatus
from bot.jobs.ports import NotPosted
from bot.ops.chores import Lanes, Work
from bot.rounds.board import Board
from bot.rounds.closing import Closing
from bot.rounds.ports import RoundMessenger
from bot.rounds.rounds import CancelJob
from bot.rounds.voting import Voting
from bot.store import Repositories
from bot.texts.codes import Code
from bot.texts.reasons import because

log = logging.getLogger(__name__)

SECONDS = 2.0


class Upkeep:
    """Looks at all rounds that are not done. It finds everything in the database."""

    def __init__(
        self,
        store: Repositories,
        board: Board,
        closing: Closing,
        voting: Voting,
        messenger: RoundMessenger,
        cancel_job: CancelJob,
        now: Callable[[], float],
    ) -> None:
        self._rounds = store.rounds
        self._board = board
        self._closing = closing
        self._voting = voting
        self._messenger = messenger
        self._cancel_job = cancel_job
        self._now = now
        self._lanes = Lanes(now, SECONDS)
        self.stop = self._lanes.stop
        self._is_fresh = False

    async def look_after(self) -> None:
        """Look at the rounds of all servers at once, so that no server waits for another.

        Raises SomeFailed for the rounds that have failed since the last call.
        """
        parts: defaultdict[int, dict[str, Work]] = defaultdict(dict)
        for each in await self._rounds.list_running():
            parts[each.guild_id][f"round {each.round_id}"] = partial(self._look_at, each)
        for each in await self._rounds.list_cancelled_too_little():
            parts[each.guild_id][f"round {each.round_id}"] = partial(self._cancel_job, each)
        for each in await self._rounds.list_to_post():
            name = f"winner of round {each.round_id}"
            parts[each.guild_id][name] = partial(self._voting.post, each)
        for each in await self._rounds.list_shown_too_long():
            name = f"removal in round {each.round_id}"
            parts[each.guild_id][name] = partial(self._voting.take_down, each)
        await self._show_again()
        await self._lanes.run(parts)

    async def _show_again(self) -> None:
        """Show rounds that could not be shown. After a start, these may be any rounds."""
        await self._board.retry()
        if self._is_fresh:
            return
        for each in await self._rounds.list_running() + await self._rounds.list_over_not_shown():
            self._board.refresh(each)
        self._is_fresh = True

    async def _look_at(self, round_: Round) -> None:
        match round_.status:
            case RoundStatus.OPEN:
                if round_.closes_at <= self._now():
                    await self._closing.close(round_)
            case RoundStatus.ASKING:
                await self._ask(round_)
            case RoundStatus.DRAWING:
                await self._voting.follow_job(round_)
            case _:
                await self._voting.end(round_)

    async def _ask(self, round_: Round) -> None:
        """Ask the starter once, and end the round if there is no answer."""
        if round_.is_confirmed:
            await self._closing.close(round_)
            return
        is_late = round_.asks_until is not None and round_.asks_until <= self._now()
        if is_late or not round_.starter_id:  # their data is deleted, so nobody can be asked
            await self._closing.fail(round_, because(Code.ROUND_NOT_CONFIRMED))
            return
        if not await self._rounds.mark_asked(round_.round_id, self._now()):
            return
        state = await self._board.compose(round_.round_id)
        if state is None:
            return
        try:
            await self._messenger.ask_starter(state)
        except NotPosted as error:  # the round's message asks too
            log.info("the starter of round %s was not asked: %s", round_.round_id, error)
