"""Stands in for what shows rounds in Discord."""

from __future__ import annotations

from pathlib import Path

from bot.domain.rounds import RoundState, RoundStatus
from bot.jobs.ports import MessageDeleted, Undeliverable, Unreachable

MESSAGE = 810_000


class FakeRoundMessenger:
    """Remembers everything that it was asked to show.

    is_away: Discord does not answer. is_deleted: somebody deleted the round's message. may_post:
    whether new messages can be posted.
    """

    def __init__(self) -> None:
        self.shown: list[RoundState] = []
        self.posted: list[int] = []
        self.asked: list[int] = []
        self.winners: list[tuple[int, Path]] = []
        self.showcased: list[tuple[int, int]] = []
        self.is_away = False
        self.is_deleted = False
        self.may_post = True

    async def show_round(self, state: RoundState) -> int:
        self._reach()
        if state.round.message_id is not None:
            if self.is_deleted:
                raise MessageDeleted("10008: unknown message")
            self.shown.append(state)
            return state.round.message_id
        if not self.may_post:
            raise Undeliverable("50013: missing permissions")
        self.shown.append(state)
        self.posted.append(state.round.round_id)
        return MESSAGE + state.round.round_id

    async def ask_starter(self, state: RoundState) -> None:
        self._reach()
        self.asked.append(state.round.starter_id)

    async def announce_winner(self, state: RoundState, picture: Path) -> int:
        self._post(picture)
        self.winners.append((state.round.winner or 0, picture))
        return MESSAGE + 1000 + state.round.round_id

    async def show_off(self, state: RoundState, picture: Path, channel_id: int) -> int:
        self._post(picture)
        self.showcased.append((channel_id, state.round.winner or 0))
        return MESSAGE + 2000 + state.round.round_id

    def last_status(self) -> RoundStatus | None:
        return self.shown[-1].round.status if self.shown else None

    def _reach(self) -> None:
        if self.is_away:
            raise Unreachable("no answer")

    def _post(self, picture: Path) -> None:
        self._reach()
        assert picture.is_file()
        if not self.may_post:
            raise Undeliverable("50013: missing permissions")
