"""The interface through which rounds show their messages. ``bot/chat`` implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bot.domain.rounds import RoundState
from bot.jobs.ports import Undeliverable


class RoundMessenger(Protocol):
    """Posts and edits the messages of rounds, in the language of the server.

    Every method raises Undeliverable or Unreachable, like the methods of ``jobs.ports.Messenger``.
    Each new message has a nonce that belongs to its round, so Discord posts the message only once,
    even if it is sent again.
    """

    async def show_round(self, state: RoundState) -> int:
        """Edit the round's message, or post it if there is none; return its id.

        Raises MessageDeleted if somebody deleted it.
        """
        ...

    async def ask_starter(self, state: RoundState) -> None:
        """Ask the starter whether to draw the prompt, although too few people took part."""
        ...

    async def announce_winner(self, state: RoundState, picture: Path) -> int:
        """Post the winning picture large in the round's channel; return the message's id."""
        ...

    async def show_off(self, state: RoundState, picture: Path, channel_id: int) -> int:
        """Post the winner in the server's showcase channel, with a link to the round."""
        ...


class Nowhere:
    """For the command line, which has no rounds."""

    async def show_round(self, state: RoundState) -> int:
        """Refuse."""
        raise Undeliverable(f"round {state.round.round_id} has no channel here")

    async def ask_starter(self, state: RoundState) -> None:
        """Refuse."""
        raise Undeliverable(f"round {state.round.round_id} has no channel here")

    async def announce_winner(self, state: RoundState, picture: Path) -> int:
        """Refuse."""
        raise Undeliverable(f"{picture} has no channel here")

    async def show_off(self, state: RoundState, picture: Path, channel_id: int) -> int:
        """Refuse."""
        raise Undeliverable(f"{picture} cannot go to channel {channel_id}")
