"""The buttons of a round for its starter and for moderators: strike out, close, cancel, draw."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord.ext.commands import Cog

from bot.chat.client import TriptychClient
from bot.chat.permissions import (
    find_server,
    is_moderator,
    require_moderator,
    require_other,
    require_rank,
)
from bot.domain.rounds import RoundStatus
from bot.errors import UserError
from bot.moderation.text import clean_prompt
from bot.services import Services
from bot.texts import rounds as texts
from bot.texts.codes import Code
from bot.texts.reasons import because
from bot.views import review as review_views
from bot.views import round_answers as views
from bot.views.components import Form, open_form

Press = discord.Interaction[TriptychClient]


class RoundModeration(Cog):
    """Handles these buttons. Everybody sees them, so each press is checked."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rounds = services.rounds

    async def close(self, interaction: Press, round_id: int, panel: int) -> None:
        """Take no more phrases."""
        guild_id = await self._require_moderator(interaction)
        await self._rounds.rounds.close(round_id, guild_id, interaction.user.id)
        await interaction.response.send_message(texts.CLOSED(), ephemeral=True)

    async def cancel(self, interaction: Press, round_id: int, panel: int) -> None:
        """End the round without a winner. Its starter may do this only while they are asked."""
        guild_id = await self._require_starter(interaction, round_id, {RoundStatus.ASKING})
        await interaction.response.defer(ephemeral=True, thinking=True)
        await self._rounds.rounds.cancel(round_id, guild_id, interaction.user.id)
        await interaction.edit_original_response(content=texts.CANCELLED())

    async def draw(self, interaction: Press, round_id: int, panel: int) -> None:
        """Draw the prompt although fewer than two people took part."""
        guild_id = await self._require_starter(interaction, round_id, set(RoundStatus))
        await self._rounds.rounds.draw_anyway(round_id, guild_id, interaction.user.id)
        await interaction.response.send_message(texts.DRAWN_ANYWAY(), ephemeral=True)

    async def strike(self, interaction: Press, round_id: int, panel: int) -> None:
        """Ask which phrase to strike out."""
        view = await self._compose_phrases(interaction, round_id, 0)
        await interaction.response.send_message(view=view, ephemeral=True)

    async def press(self, interaction: Press, path: str, values: Sequence[str]) -> None:
        """Turn a page, choose a phrase, or open the form that asks for a reason."""
        guild_id = await self._require_moderator(interaction)
        name, number, *rest = path.split(".")
        if name in {"out", "outstrike"}:
            await open_form(interaction, views.MODERATION, path)
            return
        if name == "choose":
            view = await self._compose_chosen(guild_id, int(number), int(values[0]))
        else:
            view = await self._compose_phrases(interaction, int(number), int(rest[0]))
        await interaction.response.edit_message(view=view)

    async def compose_form(self, interaction: Press, path: str) -> Form:
        """Build the form that asks for a reason."""
        name, number = path.split(".")
        await self._check_author(interaction, int(number), gives_strike=name == "outstrike")
        return views.compose_reason_form(path, gives_strike=name == "outstrike")

    async def submit_form(self, interaction: Press, path: str, typed: dict[str, str]) -> None:
        """Strike out the phrase, and perhaps give its author a strike."""
        name, number = path.split(".")
        gives_strike = name == "outstrike"
        await interaction.response.defer(ephemeral=True, thinking=True)
        guild_id = await self._check_author(interaction, int(number), gives_strike=gives_strike)
        phrase = await self._rounds.phrases.strike_out(
            int(number),
            guild_id,
            interaction.user.id,
            reason=clean_prompt(typed.get("reason", "")),
            gives_strike=gives_strike,
        )
        text = views.say_struck_out(phrase, gives_strike=gives_strike)
        if gives_strike:
            told = await self._services.notices.tell_struck(guild_id, phrase.user_id)
            text = review_views.add_told(text, told)
        await interaction.edit_original_response(content=text)

    async def _check_author(self, interaction: Press, phrase_id: int, *, gives_strike: bool) -> int:
        """Return the server's id. Raises UserError if the person may not do this to the author."""
        guild_id = await self._require_moderator(interaction)
        author_id = await self._rounds.phrases.fetch_author(phrase_id, guild_id)
        if gives_strike:
            require_other(interaction, author_id)
            await require_rank(interaction, author_id)
        return guild_id

    async def _compose_phrases(
        self, interaction: Press, round_id: int, page: int
    ) -> discord.ui.LayoutView:
        guild_id = await self._require_moderator(interaction)
        phrases = await self._rounds.phrases.list_all(round_id, guild_id)
        return views.compose_to_strike(round_id, phrases, page)

    async def _compose_chosen(
        self, guild_id: int, round_id: int, phrase_id: int
    ) -> discord.ui.LayoutView:
        """Show a phrase and its author, whom an anonymous round hides from everybody else."""
        author_id = await self._rounds.phrases.fetch_author(phrase_id, guild_id)
        phrases = await self._rounds.phrases.list_all(round_id, guild_id)
        chosen = [each for each in phrases if each.phrase_id == phrase_id]
        if not chosen:
            raise UserError(because(Code.PHRASE_UNKNOWN))
        return views.compose_confirmation(chosen[0], author_id)

    async def _require_moderator(self, interaction: Press) -> int:
        settings = await self._services.settings.fetch(interaction.guild_id)
        return require_moderator(interaction, settings)

    async def _require_starter(
        self, interaction: Press, round_id: int, statuses: set[RoundStatus]
    ) -> int:
        """Require the starter of a round in one of these states, or a moderator."""
        guild_id = find_server(interaction)
        settings = await self._services.settings.fetch(interaction.guild_id)
        if guild_id is not None and is_moderator(interaction, settings):
            return guild_id
        round_ = (await self._rounds.rounds.fetch(round_id, guild_id)).round
        if guild_id is None or round_.starter_id != interaction.user.id:
            raise UserError(texts.NOT_STARTER())
        if round_.status not in statuses:
            raise UserError(texts.NOT_STARTER())
        return guild_id


async def setup(bot: TriptychClient) -> None:
    """Add the commands, buttons and forms of this file."""
    cog = RoundModeration(bot.services)
    for action in (cog.close, cog.cancel, cog.draw, cog.strike):
        bot.add_button_action(f"round{action.__name__}", action)
    bot.add_panel_action(views.MODERATION, cog.press)
    bot.add_form(views.MODERATION, cog.compose_form, cog.submit_form)
    await bot.add_cog(cog)
