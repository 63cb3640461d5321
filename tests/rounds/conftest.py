"""A bot in which people play rounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from bot.domain.jobs import Job
from bot.domain.rounds import Phrase, Round, RoundAsk, RoundStatus
from bot.services import RoundServices
from tests.conftest import GUILD, House, OpenHouse
from tests.fakes.rounds import FakeRoundMessenger

STARTER, ANN, BEN, CAI = 710_000_011, 710_000_021, 710_000_022, 710_000_023
MODERATOR = 710_000_099
REVIEW_CHANNEL = 55
THEME = "a market on the moon"


class Evening:
    """People in one channel, and the clock of the chore."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.clock = house.clock

    @property
    def rounds(self) -> RoundServices:
        return self.house.services.rounds

    @property
    def shown(self) -> FakeRoundMessenger:
        return self.house.round_messenger

    async def start(self, theme: str = THEME, channel_id: int = 77, **ask: Any) -> Round:
        origin = self.house.origin(STARTER, channel_id=channel_id)
        return await self.rounds.rounds.start(RoundAsk(theme, **ask), origin)

    async def add(self, round_: Round, user_id: int, text: str, **origin: Any) -> Phrase:
        return await self.rounds.phrases.add(
            round_.round_id, text, self.house.origin(user_id, **origin)
        )

    async def choose(self, round_: Round, user_id: int, *chosen: Phrase) -> int:
        ballots = await self.rounds.phrases.list_ballots(round_.round_id, user_id)
        return await self.rounds.phrases.vote(
            round_.round_id,
            self.house.origin(user_id),
            chosen=[each.phrase_id for each in chosen],
            among=[each.phrase.phrase_id for each in ballots],
        )

    async def tick(self) -> None:
        await self.rounds.upkeep.look_after()

    async def fetch(self, round_: Round) -> Round:
        return (await self.rounds.rounds.fetch(round_.round_id, GUILD)).round

    async def end_time(self, round_: Round) -> Round:
        """Let the time for phrases run out, and the chore close the round."""
        self.clock.now = max(self.clock.now, round_.closes_at)
        await self.tick()
        return await self.fetch(round_)

    async def job_of(self, round_: Round) -> Job:
        job_id = (await self.fetch(round_)).job_id
        assert job_id is not None
        return await self.house.fetch(job_id)

    async def draw(self, round_: Round) -> Round:
        """Close the round, and wait until its pictures can be voted for."""
        await self.end_time(round_)
        await self.house.until_idle()
        await self.tick()
        drawn = await self.fetch(round_)
        assert drawn.status is RoundStatus.VOTING, drawn
        return drawn

    async def play(self, **ask: Any) -> Round:
        """Play a round of two people up to the vote."""
        round_ = await self.start(**ask)
        await self.add(round_, ANN, "paper lanterns")
        await self.add(round_, BEN, "a sleeping fox")
        return await self.draw(round_)

    async def vote(self, round_: Round, panel: int, *users: int) -> None:
        for user_id in users:
            origin = self.house.origin(user_id)
            await self.rounds.voting.vote(round_.round_id, panel, origin)

    async def end_vote(self, round_: Round) -> Round:
        until = (await self.fetch(round_)).votes_until
        assert until is not None
        self.clock.now = max(self.clock.now, until)
        await self.tick()  # counts
        await self.tick()  # posts
        return await self.fetch(round_)

    async def set(self, name: str, value: Any) -> None:
        await self.house.services.settings.put(GUILD, name, value)


OpenEvening = Callable[..., AbstractAsyncContextManager[Evening]]


@pytest.fixture
def open_evening(open_house: OpenHouse) -> OpenEvening:
    """Use as ``async with open_evening(blocked_words=("kale",)) as evening``."""

    @asynccontextmanager
    async def open_(*, draws: bool = True, **settings: Any) -> AsyncIterator[Evening]:
        async with open_house(**settings) as house:
            await (house.start() if draws else house.load_model())
            yield Evening(house)

    return open_


@pytest.fixture
async def evening(open_evening: OpenEvening) -> AsyncIterator[Evening]:
    """A bot that draws."""
    async with open_evening() as running:
        yield running


@pytest.fixture
async def quiet_evening(open_evening: OpenEvening) -> AsyncIterator[Evening]:
    """A bot whose model is known, but which never draws."""
    async with open_evening(draws=False) as waiting:
        yield waiting
