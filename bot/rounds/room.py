"""Says how much of a round's prompt the model has room for, with the style around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.recipes import Ask
from bot.domain.rounds import Phrase, Round, compose_prompt
from bot.errors import UserError
from bot.jobs.group_intake import GroupIntake
from bot.recipes.styles import Styles
from bot.rounds.prompts import (
    choose_phrases,
    compose_ask,
    count_words_left,
    estimate_tokens,
)


@dataclass(frozen=True, slots=True)
class Room:
    """How many tokens and characters theme and phrases may have together."""

    tokens: int
    length: int

    def choose(self, round_: Round, phrases: Sequence[Phrase]) -> list[Phrase]:
        """Choose the likeliest phrases that fit."""
        return choose_phrases(round_, phrases, self.tokens, self.length)

    def count_words_left(self, round_: Round, phrases: Sequence[Phrase]) -> int:
        """Return about how many more words fit beside the phrases that would be chosen now."""
        return count_words_left(round_, self.choose(round_, phrases), self.tokens)

    def fits(self, round_: Round, phrases: Sequence[Phrase], text: str) -> bool:
        """Return whether one more phrase fits beside all the others."""
        whole = compose_prompt(round_.theme, [*(each.text for each in phrases), text])
        return len(whole) <= self.length and estimate_tokens(whole) <= self.tokens


class Prompts:
    """Puts the server's style around a round's prompt. A style that was removed is left out."""

    def __init__(self, styles: Styles, intake: GroupIntake) -> None:
        self._styles = styles
        self._intake = intake

    async def check_style(self, name: str, guild_id: int | None) -> None:
        """Raise UserError if the server does not offer a style."""
        await self._styles.apply(Ask("theme"), name, guild_id)

    async def compose(self, round_: Round, phrases: Sequence[Phrase]) -> Ask:
        """Return what would be drawn with these phrases."""
        ask = compose_ask(round_, phrases)
        try:
            return await self._styles.apply(ask, round_.style, round_.guild_id)
        except UserError:
            return ask

    async def fetch_room(self, round_: Round) -> Room | None:
        """Return how much fits beside the style; None as long as the model is not known."""
        max_tokens = self._intake.prompt_tokens
        if max_tokens is None:
            return None
        bare = replace(round_, theme=round_.theme or "-")
        ask = await self.compose(bare, ())
        around = estimate_tokens(ask.prompt) - estimate_tokens(bare.theme)
        longer = len(ask.prompt) - len(bare.theme)
        return Room(max_tokens - around, self._intake.max_prompt_length - longer)
