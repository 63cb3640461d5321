"""Connects the services of group rounds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.domain.rounds import Round
from bot.images.store import PictureWriter
from bot.jobs.dispatcher import Dispatcher
from bot.jobs.group_intake import GroupIntake
from bot.jobs.ports import Messenger
from bot.jobs.refusals import Refusals
from bot.jobs.status_messages import StatusMessages
from bot.policy.prompts import PromptGate
from bot.recipes.styles import Styles
from bot.review.cards import ReviewCards
from bot.review.notices import Notices
from bot.review.sanctions import Sanctions
from bot.rounds.board import Board
from bot.rounds.closing import Closing
from bot.rounds.phrases import Phrases
from bot.rounds.ports import Nowhere, RoundMessenger
from bot.rounds.room import Prompts
from bot.rounds.rounds import Rounds
from bot.rounds.upkeep import Upkeep
from bot.rounds.voting import Voting
from bot.store import Repositories


@dataclass(frozen=True, slots=True)
class RoundServices:
    """The services for group rounds."""

    rounds: Rounds
    phrases: Phrases
    voting: Voting
    board: Board
    upkeep: Upkeep


@dataclass(frozen=True, slots=True)
class RoundGround:
    """What rounds need from the rest of the bot. round_messenger: None in the terminal."""

    store: Repositories
    gate: PromptGate
    refusals: Refusals
    group_intake: GroupIntake
    styles: Styles
    status_messages: StatusMessages
    review_cards: ReviewCards
    sanctions: Sanctions
    notices: Notices
    dispatcher: Dispatcher
    writer: PictureWriter
    messenger: Messenger
    round_messenger: RoundMessenger | None
    now: Callable[[], float]


def compose_rounds(ground: RoundGround) -> RoundServices:
    """Connect the services of rounds without starting them."""
    store, gate, now = ground.store, ground.gate, ground.now
    messenger = ground.round_messenger or Nowhere()
    prompts = Prompts(ground.styles, ground.group_intake)
    board = Board(store, prompts, ground.status_messages, messenger, ground.notices, now)
    closing = Closing(store, gate, ground.group_intake, prompts, board, ground.notices, now)
    random_seed = partial(secrets.randbits, 32)
    voting = Voting(
        store, gate, board, ground.writer, ground.messenger, messenger, now, random_seed
    )

    async def cancel_job(round_: Round) -> None:
        job_id, reason = round_.job_id, round_.reason
        if job_id is None or reason is None:
            return
        if await ground.dispatcher.cancel(job_id, reason) is None:
            await ground.group_intake.drop_rendered(job_id, reason)
        await store.round_words.take_out_deleted(round_.round_id)

    return RoundServices(
        Rounds(store, gate, ground.refusals, prompts, board, cancel_job, now),
        Phrases(
            store,
            gate,
            ground.refusals,
            prompts,
            board,
            ground.review_cards,
            ground.sanctions,
            now,
        ),
        voting,
        board,
        Upkeep(store, board, closing, voting, messenger, cancel_job, now),
    )
