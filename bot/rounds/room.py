"""Says how many phrases fit into a round's prompt, together with the style around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.guilds import GuildSettings
from bot.domain.jobs import Origin
from bot.domain.recipes import Ask
from bot.domain.rounds import SEPARATOR, Phrase, Round, compose_prompt
from bot.errors import UserError
from bot.jobs.group_intake import GroupIntake
from bot.recipes.styles import Styles
from bot.rounds.prompts import compose_ask, estimate_tokens, sort_phrases

_SAFETY = 0.75  # count fewer letters a token, so that few texts have more tokens than estimated
_LETTERS_PER_WORD = 5.0
_BARE = "-"


@dataclass(frozen=True, slots=True)
class Room:
    """How many tokens and characters the theme and the phrases may have together."""

    tokens: int
    length: int
    letters_per_token: float

    def choose(self, round_: Round, phrases: Sequence[Phrase]) -> list[Phrase]:
        """Choose as many phrases as fit, the likeliest first. One that does not fit is skipped."""
        chosen: list[Phrase] = []
        tokens, length = self.tokens - self._estimate(round_.theme), self.length - len(round_.theme)
        for each in sort_phrases(round_, phrases):
            text = SEPARATOR + each.text
            cost = self._estimate(text)
            if cost <= tokens and len(text) <= length:
                chosen.append(each)
                tokens, length = tokens - cost, length - len(text)
        return chosen

    def fits(self, theme: str, phrases: Sequence[str]) -> bool:
        """Return whether theme and phrases fit."""
        whole = compose_prompt(theme, phrases)
        return len(whole) <= self.length and self._estimate(whole) <= self.tokens

    def count_words_left(self, theme: str, phrases: Sequence[str]) -> int:
        """Return about how many more words fit."""
        left = self.tokens - self._estimate(compose_prompt(theme, phrases))
        return max(int(left / max(_LETTERS_PER_WORD / self.letters_per_token, 1.0)), 0)

    def _estimate(self, text: str) -> int:
        return estimate_tokens(text, self.letters_per_token)


class Prompts:
    """Adds the server's style to a round's prompt. A style that was removed is left out."""

    def __init__(self, styles: Styles, intake: GroupIntake) -> None:
        self._styles = styles
        self._intake = intake

    async def check_style(self, name: str, guild_id: int | None) -> None:
        """Raise UserError if the server does not offer a style."""
        await self._styles.apply(Ask("theme"), name, guild_id)

    async def compose(self, round_: Round, phrases: Sequence[Phrase]) -> Ask:
        """Return what would be drawn with these phrases."""
        model = self._intake.keep_model(round_.model, round_.guild_id)
        ask = replace(compose_ask(round_, phrases), model=model)
        return self._intake.fit(await self._apply(ask, round_.style, round_.guild_id))

    async def _apply(self, ask: Ask, style: str, guild_id: int) -> Ask:
        try:
            return await self._styles.apply(ask, style, guild_id, self._intake.find_info(ask.model))
        except UserError:
            return ask

    def choose_model(self, origin: Origin, settings: GuildSettings) -> str | None:
        """Return the id of the model for a new round; None for the default. Raises UserError."""
        return self._intake.choose_model(origin, settings)

    async def fetch_room(self, style: str, guild_id: int, model: str | None) -> Room | None:
        """Return how much fits beside the style; None until the model is loaded."""
        info = self._intake.find_info(self._intake.keep_model(model, guild_id))
        if info is None:
            return None
        ask = await self._apply(Ask(_BARE), style, guild_id)
        letters = info.letters_per_token * _SAFETY
        around = estimate_tokens(ask.prompt, letters) - estimate_tokens(_BARE, letters)
        longer = len(ask.prompt) - len(_BARE)
        return Room(info.prompt_tokens - around, self._intake.max_prompt_length - longer, letters)
